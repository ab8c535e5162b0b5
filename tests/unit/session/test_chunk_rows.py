"""What a session stores of its chunks."""

from orchestration.services.ports import Hypothesis
from orchestration.session.values import SessionValues
from orchestration.storage.values import ChunkRow
from tests.unit.session.meeting import Meeting, silence, speech, words


def chunks_of(meeting: Meeting) -> list[ChunkRow]:
    return [row for step in meeting.steps for row in step.changes.chunks]


def test_a_chunk_that_was_heard_tells_its_engine_attempts_and_latency() -> None:
    meeting = Meeting.begun(values=SessionValues(outage_patience_ms=600_000))
    meeting.play(speech(20) + silence(10))
    meeting.fail()
    meeting.wait(5000)
    meeting.now_ms += 250
    order = meeting.answer(words(("Still", 100, 500), ("here.", 600, 1000)))
    (row,) = chunks_of(meeting)
    assert (row.start, row.end) == (order.chunk.start, order.chunk.end)
    assert (row.outcome, row.engine, row.words) == ("heard", "scripted", 2)
    assert (row.attempts, row.latency_ms) == (2, 250)


def test_a_chunk_that_was_given_up_is_lost_and_no_stale_answer_changes_it() -> None:
    meeting = Meeting.begun(values=SessionValues(outage_patience_ms=0))
    meeting.play(speech(20) + silence(10))
    order = meeting.fail()
    meeting.session.transcribed(0, order.chunk, Hypothesis("en", (), "late"), meeting.now_ms)
    meeting.settle()
    (row,) = chunks_of(meeting)
    assert (row.outcome, row.engine, row.language, row.words) == ("lost", "", "", 0)
    assert row.attempts == 1
