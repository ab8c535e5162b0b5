"""Where streams are cut. One sample is one millisecond here."""

import pytest

from orchestration.audio.chunker import Chunk, Chunker
from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.voice_activity import VoiceWindow
from orchestration.errors import OrchestrationError
from tests.unit.audio.chunked_stream import POLICY, Stream


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
    stream = Stream().play(True, 2000).play(False, 380).play(True, 1620)
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


def test_the_end_of_an_utterance_is_sent_before_it_is_known_to_be_one_and_only_once() -> None:
    stream = Stream().play(True, 3500).play(False, 380)
    assert stream.spans == []
    stream.play(False, 20)
    assert stream.chunks == [Chunk(0, 0, 3800, is_final=True, may_go_on=True)]
    stream.play(False, 180)
    assert not stream.chunker.take_utterance_over()
    stream.play(False, 20)
    assert stream.chunker.take_utterance_over()
    assert not stream.chunker.take_utterance_over()
    stream.play(False, 2000).end()
    assert len(stream.chunks) == 1
    assert list(stream.silences) == [(3800, stream.at)]


def test_speech_that_resumes_after_its_end_was_sent_overlaps_it_and_has_an_end_of_its_own() -> None:
    stream = Stream().play(True, 3500).play(False, 580).play(True, 1000).play(False, 600)
    assert stream.spans == [(0, 3800, True), (1800, 5380, True)]
    assert stream.chunker.take_utterance_over()
    short = Stream().play(True, 1000).play(False, 580).play(True, 1000).play(False, 600)
    assert short.spans == [(0, 1300, True), (0, 2880, True)]


def test_who_pauses_at_each_word_is_not_sent_at_each_word() -> None:
    stream = Stream()
    for _ in range(10):
        stream.play(True, 100).play(False, 420)
    assert len(stream.chunks) <= 5


def test_an_end_that_could_not_be_sent_at_once_is_sent_when_the_utterance_is_over() -> None:
    stream = Stream().play(True, 3500).play(False, 580, pull=False).play(True, 1000, pull=False)
    stream.play(False, 620, pull=False).pull()
    assert stream.spans == [(0, 5380, True)]
    assert not stream.chunker.take_utterance_over()


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
