"""What holds of any stream that is cut, however it goes and is pulled. Samples are milliseconds."""

from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.sample_ranges import SampleRanges
from tests.unit.audio.chunked_stream import POLICY, WINDOW, Stream


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
        early_end=draw(st.integers(100, 1000)),
        speech_margin=draw(st.integers(0, 2000)),
    )


def go_on(stream: Stream, step: Step) -> None:
    if step.kind == "gap":
        stream.skip(step.duration)
    elif step.kind == "stall":
        stream.stall()
    else:
        stream.play(step.kind == "speech", step.duration, pull=False)
    stream.pull(step.pulls)
    assert_every_sample_has_one_fate(stream)


def played(policy: ChunkingPolicy, steps: list[Step], start: int) -> Stream:
    stream = Stream(policy, start)
    for step in steps:
        go_on(stream, step)
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
        if before.may_go_on and after.start < before.end:
            overlap = stream.policy.overlap
            assert before.start <= after.start == max(before.start, before.end - overlap)
        elif before.is_final:
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
        go_on(stream, step)
    stream.end()
    assert_every_sample_has_one_fate(stream)
    assert not stream.chunker.has_pending
    for before, after in pairwise(stream.chunks):
        assert before.end <= after.end
        assert before.start <= after.start
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
