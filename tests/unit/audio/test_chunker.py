"""One sample is one millisecond here: policies are made for 1000 samples a second."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestration.audio.chunker import Chunk, Chunker
from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.sample_ranges import SampleRanges
from orchestration.audio.voice_activity import VoiceWindow
from orchestration.errors import ConfigurationError, OrchestrationError

POLICY = ChunkingPolicy.from_ms(1000)
WINDOW = 20


@dataclass
class Stream:
    """A stream played into a chunker, and what came of it."""

    policy: ChunkingPolicy = POLICY
    at: int = 0
    chunks: list[Chunk] = field(default_factory=list)
    silences: SampleRanges = field(default_factory=SampleRanges)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    speech: SampleRanges = field(default_factory=SampleRanges)
    breaks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = self.at
        self.chunker = Chunker(self.policy, self.at)

    def play(self, is_speech: bool, duration: int, *, pull: bool = True) -> "Stream":
        """Hear `duration` of speech or silence: pulling after every window, or all at once."""
        bounds = range(self.at, self.at + duration, WINDOW)
        windows = [VoiceWindow(start, start + WINDOW, is_speech) for start in bounds]
        for batch in [[window] for window in windows] if pull else [windows]:
            self.chunker.hear(batch)
            if pull:
                self.pull()
        if is_speech:
            self.speech.add(self.at, self.at + duration)
        self.at += duration
        return self

    def stall(self) -> None:
        self.chunker.stall()
        self.breaks.append(self.at)

    def skip(self, duration: int) -> None:
        self.breaks.append(self.at)
        self.chunker.gap(self.at, self.at + duration)
        self.gaps.append((self.at, self.at + duration))
        self.at += duration

    def end(self) -> "Stream":
        self.chunker.end(self.at)
        self.pull()
        return self

    def pull(self, times: int = 100_000) -> None:
        for _ in range(times):
            chunk = self.chunker.next_chunk()
            if chunk is None:
                break
            self.chunks.append(chunk)
        for start, end in self.chunker.take_silences():
            assert self.silences.within(start, end) == [], "silence is declared once"
            self.silences.add(start, end)

    @property
    def spans(self) -> list[tuple[int, int, bool]]:
        return [(chunk.start, chunk.end, chunk.is_final) for chunk in self.chunks]


def test_silence_is_declared_up_to_the_margin_before_the_present() -> None:
    stream = Stream().play(False, 5000)
    assert list(stream.silences) == [(0, 4700)]
    assert stream.chunker.needed_from == 4700
    assert stream.chunks == []
    assert stream.chunker.has_pending


def test_a_short_utterance_is_one_final_chunk_with_its_margins() -> None:
    stream = Stream().play(False, 1000).play(True, 1500).play(False, 2000)
    assert stream.spans == [(700, 2800, True)]
    assert list(stream.silences) == [(0, 700), (2800, 4200)]


def test_long_speech_is_cut_every_stride_with_the_overlap() -> None:
    stream = Stream().play(True, 9000).play(False, 600)
    assert stream.spans == [
        (0, 4000, False),
        (2000, 6000, False),
        (4000, 8000, False),
        (6000, 9300, True),
    ]


def test_a_cut_falls_in_the_middle_of_the_longest_late_pause() -> None:
    stream = Stream().play(True, 3460).play(False, 40).play(True, 100).play(False, 120)
    stream.play(True, 280)
    assert stream.spans == [(0, 3660, False)]
    assert stream.chunker.needed_from == 1660


def test_an_early_pause_does_not_move_the_cut() -> None:
    stream = Stream().play(True, 2000).play(False, 400).play(True, 1600)
    assert stream.spans == [(0, 4000, False)]


def test_a_cut_moves_on_by_half_a_stride_at_least_however_early_the_pause() -> None:
    policy = ChunkingPolicy.from_ms(1000, pause_search_ms=3000)
    early = Stream(policy).play(True, 2800).play(False, 180).play(True, 1020)
    assert early.spans == [(0, 4000, False)]
    late = Stream(policy).play(True, 3000).play(False, 180).play(True, 820)
    assert late.spans == [(0, 3090, False)]


def test_a_chunk_grows_while_the_engine_is_behind_and_up_to_the_limit() -> None:
    stream = Stream().play(True, 10_000, pull=False)
    stream.pull()
    assert stream.spans == [(0, 10_000, False)]
    stream.play(True, 40_000, pull=False).pull()
    assert stream.spans[1:] == [(8000, 36_000, False), (34_000, 50_000, False)]


def test_a_finished_utterance_above_the_limit_goes_in_overlapping_chunks() -> None:
    stream = Stream().play(True, 30_000, pull=False).play(False, 1000, pull=False)
    stream.pull()
    assert stream.spans == [(0, 28_000, False), (26_000, 30_300, True)]


def test_the_end_of_an_utterance_is_sent_even_when_its_audio_went_out_before() -> None:
    stream = Stream().play(True, 3900).play(False, 100)
    assert stream.spans == [(0, 3950, False)]
    stream.play(False, 500)
    assert stream.spans[1:] == [(1950, 4200, True)]


def test_a_cut_waits_for_a_long_pause_to_decide_whether_the_utterance_is_over() -> None:
    stream = Stream().play(True, 3500).play(False, 560)
    assert stream.spans == []
    stream.play(True, 20)
    assert stream.spans == [(0, 3780, False)]
    over = Stream().play(True, 3500).play(False, 600)
    assert over.spans == [(0, 3800, True)]


def test_speech_that_resumes_before_the_utterance_is_over_belongs_to_it() -> None:
    stream = Stream().play(True, 1000).play(False, 580).play(True, 1000).play(False, 600)
    assert stream.spans == [(0, 2880, True)]


@pytest.mark.parametrize("blip", [20, 60, 100])
def test_an_isolated_blip_is_silence(blip: int) -> None:
    stream = Stream()
    for _ in range(10):
        stream.play(False, 500).play(True, blip)
    stream.play(False, 500)
    assert stream.chunks == []
    assert list(stream.silences) == [(0, stream.at - 300)]


def test_an_utterance_is_dated_back_to_its_first_blip_in_the_onset_span() -> None:
    stream = Stream().play(False, 1000).play(True, 40).play(False, 60).play(True, 100)
    assert stream.chunker.needed_from == 700
    assert list(stream.silences) == [(0, 700)]


def test_speech_spread_over_more_than_the_onset_span_is_silence() -> None:
    assert not Stream().play(True, 100).play(False, 100).play(True, 20).play(False, 900).chunks
    assert Stream().play(True, 100).play(False, 80).play(True, 20).play(False, 900).chunks


def test_blips_on_both_sides_of_a_gap_or_stall_do_not_make_an_utterance() -> None:
    stream = Stream().play(True, 80)
    stream.skip(20)
    stream.play(True, 80)
    stream.stall()
    stream.play(True, 80).end()
    assert stream.chunks == []
    assert stream.silences.total == 240


def test_a_very_short_utterance_takes_in_silence_to_reach_the_shortest_chunk() -> None:
    policy = ChunkingPolicy.from_ms(1000, speech_margin_ms=0)
    stream = Stream(policy).play(False, 1000).play(True, 120).play(False, 1000)
    assert stream.spans == [(1000, 1500, True)]


def test_without_overlap_a_cut_leaves_enough_for_a_final_chunk() -> None:
    policy = ChunkingPolicy.from_ms(1000, overlap_ms=0)
    stream = Stream(policy).play(True, 4500).end()
    assert stream.spans == [(0, 4000, False), (4000, 4500, True)]


def test_a_gap_ends_an_utterance_and_the_next_begins_after_it() -> None:
    stream = Stream().play(True, 1000)
    stream.skip(5000)
    stream.play(True, 1000).play(False, 1000)
    assert stream.spans == [(0, 1000, True), (6000, 7300, True)]


def test_the_end_of_the_stream_ends_the_utterance_and_leaves_nothing_pending() -> None:
    stream = Stream().play(True, 1000).play(False, 500).end()
    assert stream.spans == [(0, 1300, True)]
    assert list(stream.silences) == [(1300, 1500)]
    assert not stream.chunker.has_pending
    assert stream.chunker.needed_from == 1500


def test_a_stall_ends_the_utterance_and_the_stream_goes_on() -> None:
    stream = Stream().play(True, 1000)
    stream.stall()
    stream.pull()
    assert stream.spans == [(0, 1000, True)]
    assert not stream.chunker.has_pending
    stream.play(True, 1000).end()
    assert stream.spans[1:] == [(1000, 2000, True)]


def test_short_utterances_that_wait_together_go_in_one_chunk() -> None:
    stream = Stream()
    for _ in range(3):
        stream.play(True, 1000, pull=False).play(False, 1000, pull=False)
    assert stream.chunker.take_silences() == []
    stream.pull()
    assert stream.spans == [(0, 5300, True)]
    assert list(stream.silences) == [(5300, 5700)]


def test_utterances_far_apart_or_across_a_gap_stay_apart() -> None:
    stream = Stream().play(True, 1000, pull=False).play(False, 2000, pull=False)
    stream.play(True, 1000, pull=False)
    stream.skip(20)
    stream.play(True, 1000, pull=False).play(False, 600, pull=False)
    stream.pull()
    assert stream.spans == [(0, 1300, True), (2700, 4000, True), (4020, 5320, True)]
    assert list(stream.silences) == [(1300, 2700)]


def test_windows_that_do_not_follow_or_come_after_the_end_are_refused() -> None:
    chunker = Chunker(POLICY, 100)
    with pytest.raises(OrchestrationError, match="heard up to 100"):
        chunker.hear([VoiceWindow(120, 140, True)])
    with pytest.raises(OrchestrationError, match="heard up to 100"):
        chunker.gap(99, 120)
    chunker.end(100)
    with pytest.raises(OrchestrationError, match="where the stream ended"):
        chunker.hear([VoiceWindow(100, 120, True)])


def test_a_policy_whose_chunks_cannot_advance_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ChunkingPolicy.from_ms(16_000, chunk_ms=2000, overlap_ms=2000)
    with pytest.raises(ConfigurationError):
        ChunkingPolicy.from_ms(16_000, chunk_ms=4000, max_chunk_ms=3000)
    with pytest.raises(ConfigurationError):
        ChunkingPolicy.from_ms(16_000, chunk_ms=2000, overlap_ms=1000, shortest_chunk_ms=1001)


def test_a_policy_counts_samples_of_its_stream() -> None:
    policy = ChunkingPolicy.from_ms(48_000)
    assert (policy.chunk, policy.overlap, policy.guard) == (192_000, 96_000, 38_400)


@dataclass(frozen=True)
class Step:
    """Something that happens to a stream; `pulls` chunks are asked for after it."""

    kind: str
    duration: int
    pulls: int


DURATIONS = st.one_of(st.integers(1, 12), st.integers(1, 60), st.sampled_from([200, 700])).map(
    lambda windows: windows * WINDOW
)
STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["speech"] * 4 + ["silence"] * 4 + ["gap", "stall"]),
        DURATIONS,
        st.sampled_from([0, 0, 1, 2, 100]),
    ),
    max_size=30,
)


@st.composite
def policies(draw: st.DrawFn) -> ChunkingPolicy:
    chunk = draw(st.integers(1000, 6000))
    return replace(
        POLICY,
        chunk=chunk,
        overlap=draw(st.integers(0, chunk * 3 // 4)),
        pause_search=draw(st.integers(0, 3000)),
        max_chunk=draw(st.integers(chunk, 30_000)),
        end_of_speech=draw(st.integers(100, 2000)),
        speech_margin=draw(st.integers(0, 2000)),
    )


def played(policy: ChunkingPolicy, steps: list[Step], start: int) -> Stream:
    stream = Stream(policy, start)
    for step in steps:
        if step.kind == "gap":
            stream.skip(step.duration)
        elif step.kind == "stall":
            stream.stall()
        else:
            stream.play(step.kind == "speech", step.duration, pull=False)
        stream.pull(step.pulls)
        assert_every_sample_has_one_fate(stream)
    return stream


def assert_every_sample_has_one_fate(stream: Stream) -> None:
    """Chunks, silence and gaps exclude each other; what is in none of them is still needed."""
    fated = SampleRanges((chunk.start, chunk.end) for chunk in stream.chunks)
    for start, end in [*stream.silences, *stream.gaps]:
        assert fated.within(start, end) == []
        fated.add(start, end)
    pending = fated.missing(stream.start, stream.at)
    assert all(start >= stream.chunker.needed_from for start, _ in pending)
    assert stream.chunker.has_pending or not pending


def assert_chunks_are_in_order(stream: Stream) -> None:
    assert [chunk.index for chunk in stream.chunks] == list(range(len(stream.chunks)))
    assert all(0 < c.end - c.start <= stream.policy.max_chunk for c in stream.chunks)
    for before, after in pairwise(stream.chunks):
        assert before.end <= after.end
        if before.is_final:
            assert before.end <= after.start
        else:
            assert before.start < after.start == before.end - stream.policy.overlap
            assert after.end - after.start >= stream.policy.shortest_chunk
    assert not stream.chunks or stream.chunks[-1].is_final


def assert_silence_holds_blips_at_most(stream: Stream) -> None:
    for start, end in stream.silences:
        for blip_start, _ in stream.speech.within(start, end):
            # A stall or gap comes between what was said before it and after it.
            span_end = min(
                [end, blip_start + stream.policy.onset_span]
                + [at for at in stream.breaks if at > blip_start]
            )
            blips = stream.speech.within(blip_start, span_end)
            assert SampleRanges(blips).total < stream.policy.onset_speech


@given(policies(), STEPS, st.integers(0, 50))
@settings(max_examples=200, deadline=None)
def test_any_stream_is_cut_without_loss_overlong_chunks_or_disorder(
    policy: ChunkingPolicy, steps: list[Step], start: int
) -> None:
    stream = played(policy, steps, start).end()
    event(f"{min(len(stream.chunks), 5)} or more chunks")
    assert_every_sample_has_one_fate(stream)
    assert not stream.chunker.has_pending
    assert stream.chunker.needed_from == stream.at
    assert_chunks_are_in_order(stream)
    assert_silence_holds_blips_at_most(stream)


@given(st.lists(policies(), min_size=30, max_size=30), STEPS)
@settings(max_examples=200, deadline=None)
def test_policies_that_change_in_mid_speech_lose_nothing_and_never_cut_backwards(
    policies: list[ChunkingPolicy], steps: list[Step]
) -> None:
    stream = Stream(policies[0])
    for policy, step in zip(policies, steps, strict=False):
        stream.chunker.apply(policy)
        if step.kind == "gap":
            stream.skip(step.duration)
        elif step.kind == "stall":
            stream.stall()
        else:
            stream.play(step.kind == "speech", step.duration, pull=False)
        stream.pull(step.pulls)
        assert_every_sample_has_one_fate(stream)
    stream.end()
    assert_every_sample_has_one_fate(stream)
    assert not stream.chunker.has_pending
    for before, after in pairwise(stream.chunks):
        assert before.end <= after.end
        assert before.start < after.start <= before.end or before.is_final
    assert not stream.chunks or stream.chunks[-1].is_final


@given(STEPS)
@settings(max_examples=50, deadline=None)
def test_needed_audio_never_moves_back_and_chunks_never_begin_before_it(
    steps: list[Step],
) -> None:
    stream, needed = Stream(), 0
    for step in steps:
        if step.kind == "gap":
            stream.skip(step.duration)
        else:
            stream.play(step.kind == "speech", step.duration, pull=False)
        for _ in range(step.pulls):
            assert needed <= stream.chunker.needed_from
            needed = stream.chunker.needed_from
            chunk = stream.chunker.next_chunk()
            if chunk is None:
                break
            assert needed <= chunk.start


@given(STEPS)
@settings(max_examples=50, deadline=None)
def test_cuts_depend_on_windows_and_pulls_alone_not_on_how_windows_are_batched(
    steps: list[Step],
) -> None:
    batched, single = played(POLICY, steps, 0).end(), Stream()
    for step in steps:
        if step.kind == "gap":
            single.skip(step.duration)
        elif step.kind == "stall":
            single.stall()
        else:
            for _ in range(step.duration // WINDOW):
                single.play(step.kind == "speech", WINDOW, pull=False)
        single.pull(step.pulls)
    single.end()
    assert single.chunks == batched.chunks
    assert single.silences == batched.silences
