"""The end of an utterance is sent before it is known to be one: what is said is final sooner."""

from orchestration.errors import EngineRefused
from orchestration.session.transcription import TranscribeOrder
from orchestration.session.values import ChunkingValues, SessionValues
from tests.unit.session.meeting import RATE, Meeting, silence, speech, words


def hear(meeting: Meeting, *said: tuple[str, int, int]) -> TranscribeOrder:
    """An answer with what was said in the chunk: text, and from when to when in the stream."""
    chunk = meeting.orders[0].chunk
    start_ms, end_ms = chunk.start * 1000 // RATE, chunk.end * 1000 // RATE
    within = [one for one in said if start_ms <= one[1] and one[2] <= end_ms]
    return meeting.answer(words(*((text, a - start_ms, b - start_ms) for text, a, b in within)))


def test_a_sentence_is_final_in_its_pause_and_not_doubled_when_the_speaker_goes_on() -> None:
    said = (("Good", 100, 400), ("morning.", 450, 1900), ("Good", 2500, 2900), ("day.", 3000, 4300))
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(5))
    order = hear(meeting, *said)
    assert (order.chunk.is_final, order.chunk.may_go_on) == (True, True)
    assert meeting.lines() == [(None, "Good morning.")]

    meeting.play(speech(20) + silence(10))
    assert meeting.orders[0].chunk.start < order.chunk.end
    while meeting.orders:
        hear(meeting, *said)
    assert meeting.lines() == [(None, "Good morning."), (None, "Good day.")]


def test_words_without_a_full_stop_are_a_line_once_the_utterance_is_over() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(5))
    meeting.answer(words(("Good", 100, 400), ("morning", 450, 1900)))
    assert meeting.lines() == []
    meeting.play(silence(3))
    assert meeting.lines() == [(None, "Good morning")]
    assert meeting.orders == []


def test_an_answer_that_comes_when_the_utterance_is_over_ends_its_line() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(20) + speech(20) + silence(20))
    meeting.answer(words(("Good", 100, 400), ("morning", 450, 1900)))
    assert meeting.lines() == [(None, "Good morning")]
    meeting.answer(words(("Ana", 300, 1900)))
    meeting.end()
    assert meeting.lines()[1:] == [(None, "Ana")]
    assert meeting.status() == "completed"


def test_an_end_that_no_engine_answers_leaves_nothing_pending() -> None:
    meeting = Meeting.begun(values=SessionValues(refused_attempts=1))
    meeting.play(speech(20) + silence(5))
    meeting.fail(EngineRefused("no"))
    meeting.play(silence(10))
    meeting.end()
    duration, transcribed, silent, pending, lost = meeting.fates()
    assert (transcribed, pending) == (0, 0)
    assert lost + silent == duration
    assert lost > 20 * RATE // 10
    assert meeting.status() == "completed"


def test_the_end_is_not_sent_early_where_that_is_not_wanted() -> None:
    values = SessionValues(chunking=ChunkingValues(early_end_ms=600))
    meeting = Meeting.begun(values=values)
    meeting.play(speech(20) + silence(5))
    assert meeting.orders == []
    meeting.play(silence(2))
    assert [order.chunk.may_go_on for order in meeting.orders] == [False]
