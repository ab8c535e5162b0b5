"""What was lost in an outage is heard after all, as corrections of the transcript."""

from orchestration.errors import EngineError, EngineRefused
from orchestration.session.inputs import StreamSpec
from orchestration.session.repairs import plan_repairs
from orchestration.session.session import Session
from orchestration.session.values import SessionValues
from orchestration.storage.values import SampleRange, StreamProgress, StreamRow
from tests.unit.session.meeting import FORMAT, RATE, Meeting, claim, silence, speech, words


def lossy_meeting() -> Meeting:
    """An utterance that no engine answered, then one that was heard; a capture gap between."""
    meeting = Meeting.begun(values=SessionValues(outage_patience_ms=0))
    meeting.play(speech(20) + silence(10))
    meeting.fail(EngineError("down"))
    meeting.skip(RATE)
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Heard.", 400, 1800)))
    return meeting


def test_lost_audio_is_heard_again_and_told_as_a_correction() -> None:
    meeting = lossy_meeting()
    (repair,) = meeting.session.repairs.plan()
    assert meeting.fates()[4] == repair.lost.end - repair.lost.start + RATE

    meeting.session.repaired(repair, words(("Lost", 100, 500), ("words.", 600, 1100)))
    meeting.end()

    corrected = [body for body in meeting.told("segment") if body.get("corrected")]
    assert [one["segment"]["text"] for one in corrected] == ["Lost words."]  # type: ignore[index,call-overload]
    duration, transcribed, silent, pending, lost = meeting.fates()
    assert (pending, lost) == (0, RATE)
    assert transcribed + silent + lost == duration


def test_words_around_the_lost_range_are_not_said_twice() -> None:
    meeting = lossy_meeting()
    (repair,) = meeting.session.repairs.plan()
    beyond = (repair.lost.end - repair.start) * 1000 // RATE + 100
    meeting.session.repaired(repair, words(("Lost.", 100, 500), ("Heard.", beyond, beyond + 400)))
    meeting.settle()
    assert [text for _, text in meeting.lines()] == ["Heard.", "Lost."]


def test_what_was_never_captured_is_not_asked_for() -> None:
    gap = SampleRange(0, RATE, "capture_skipped")
    assert plan_repairs(0, [gap], duration=RATE, sample_rate=RATE, max_chunk_ms=28_000) == []


def test_long_losses_are_heard_in_parts_that_tile_them() -> None:
    lost = SampleRange(10 * RATE, 100 * RATE, "engine_error")
    repairs = plan_repairs(0, [lost], duration=120 * RATE, sample_rate=RATE, max_chunk_ms=28_000)
    assert [one.lost.start for one in repairs] == [
        10 * RATE,
        *(one.lost.end for one in repairs[:-1]),
    ]
    assert repairs[-1].lost.end == 100 * RATE
    assert all(one.end - one.start <= 28 * RATE for one in repairs)


def test_what_an_outage_cost_is_heard_again_by_itself_once_the_engine_answers() -> None:
    meeting = Meeting.begun(values=SessionValues(outage_patience_ms=0))
    meeting.play(speech(20) + silence(10))
    meeting.fail(EngineError("down"))
    assert meeting.session.repairs.due() == []

    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Heard.", 400, 1800)))
    (repair,) = meeting.session.repairs.due()
    meeting.session.repairs.is_under_way = True
    meeting.end()
    assert meeting.status() == "ending"

    meeting.session.repaired(repair, words(("Lost.", 100, 500)))
    meeting.session.repairs.is_under_way = False
    meeting.settle()
    assert meeting.status() == "completed"
    assert meeting.fates()[3:] == (0, 0)


def test_what_engines_refuse_is_not_sent_again_by_itself() -> None:
    meeting = Meeting.begun(values=SessionValues(refused_attempts=1))
    meeting.play(speech(20) + silence(10))
    meeting.fail(EngineRefused("no"))
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Heard.", 400, 1800)))
    assert meeting.session.repairs.due() == []
    assert len(meeting.session.repairs.plan()) == 1


def test_losses_of_an_earlier_incarnation_are_heard_again_too() -> None:
    lost = SampleRange(0, RATE, EngineError.code)
    progress = StreamProgress(0, 0, 2 * RATE, 2 * RATE, 0, RATE, 0)
    row = StreamRow(StreamSpec(0, FORMAT, None), 20, 2 * RATE, None, progress, (lost,))
    meeting = Meeting(Session(claim(streams=(row,)), SessionValues(), 0))
    meeting.session.connected(0)
    meeting.resume(row)
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Heard.", 400, 1800)))
    assert [one.lost for one in meeting.session.repairs.due()] == [lost]
