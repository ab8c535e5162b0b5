"""A session, fed with literal times."""

import pytest

from orchestration.errors import (
    EngineError,
    EngineRefused,
)
from orchestration.session.inputs import (
    AudioFrame,
    ClockFact,
    EndOfStreams,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
)
from orchestration.session.status import TRANSITIONS
from orchestration.session.values import ChunkingValues, SessionValues
from tests.unit.session.meeting import RATE, ZERO_UNIX_MS, Meeting, silence, speech, words

ANA = ParticipantRef("p1", "Ana")


def test_speech_becomes_a_named_line_when_the_utterance_is_over() -> None:
    meeting = Meeting.begun(participant=ANA)
    meeting.play(speech(20) + silence(10))

    order = meeting.answer(words(("Good", 100, 400), ("morning.", 450, 900)))

    assert order.chunk.is_final
    assert meeting.lines() == [("Ana", "Good morning.")]
    assert meeting.told("segment")[0]["segment"]["text"] == "Good morning."  # type: ignore[index,call-overload]


def test_every_sample_has_exactly_one_fate_from_the_first_to_the_last() -> None:
    meeting = Meeting.begun()
    meeting.play(silence(10) + speech(20) + silence(20))
    duration, transcribed, silent, pending, lost = meeting.fates()
    assert duration == 50 * RATE // 10
    assert pending > 0
    assert transcribed + silent + pending + lost == duration

    meeting.answer(words(("Hello.", 300, 1800)))
    meeting.end()

    duration, transcribed, silent, pending, lost = meeting.fates()
    assert (pending, lost) == (0, 0)
    assert transcribed + silent == duration


def test_the_session_completes_only_when_nothing_is_pending() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20))
    meeting.end()
    assert meeting.status() == "ending"

    meeting.answer(words(("Bye.", 100, 1800)))

    assert meeting.status() == "completed"
    assert [body["status"] for body in meeting.told("status")] == ["active", "ending", "completed"]


def test_an_announced_end_waits_for_the_frames_before_it() -> None:
    meeting = Meeting.begun()
    meeting.play(silence(2))
    meeting.send(EndOfStreams(((0, 3),), -1))
    assert meeting.status() == "ending"

    meeting.play(silence(2))

    assert meeting.status() == "completed"


def test_durable_events_are_numbered_without_holes() -> None:
    meeting = Meeting.begun(participant=ANA)
    for _ in range(3):
        meeting.play(speech(20) + silence(10))
        meeting.answer(words(("One", 0, 300), ("line.", 400, 900)))
    meeting.end()

    assert [event.seq for event in meeting.events] == list(range(1, len(meeting.events) + 1))


def test_pending_words_pass_by_and_are_replaced_by_final_ones() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(45))
    meeting.answer(words(("We", 100, 300), ("begin", 400, 800), ("now", 3500, 3900)))

    pending = [event for event in meeting.passing if event.type == "segment"]
    assert pending[-1].body["segment"]["text"] == "We begin now"  # type: ignore[index,call-overload]
    assert meeting.lines() == []

    meeting.play(silence(10))
    order = meeting.answer(words(("now.", 3900 - 2000, 4200 - 2000)))
    assert order.chunk.is_final
    assert meeting.lines() != []


def test_silence_is_not_sent() -> None:
    meeting = Meeting.begun()
    meeting.play(silence(100))
    assert meeting.orders == []
    assert meeting.fates()[2] > 9 * RATE


def test_a_capture_gap_is_lost_and_told() -> None:
    meeting = Meeting.begun()
    meeting.play(silence(10))
    meeting.skip(2 * RATE)
    meeting.play(silence(10))
    meeting.end()

    gap = meeting.told("gap")[0]
    assert (gap["start"], gap["end"], gap["reason"]) == (1.0, 3.0, "capture_skipped")
    assert meeting.fates()[4] == 2 * RATE
    assert meeting.status() == "completed"


def test_an_outage_of_the_engine_costs_delay_and_no_words() -> None:
    meeting = Meeting.begun(values=SessionValues(outage_patience_ms=600_000))
    meeting.play(speech(20) + silence(10))
    for _ in range(60):
        meeting.fail()
        assert meeting.orders == []
        meeting.wait(5000)
    meeting.answer(words(("Still", 100, 500), ("here.", 600, 1000)))
    meeting.end()

    assert meeting.lines() == [(None, "Still here.")]
    assert meeting.told("gap") == []


@pytest.mark.parametrize(
    ("error", "values"),
    [
        (EngineRefused("no"), SessionValues(refused_attempts=3)),
        (EngineError("down"), SessionValues(outage_patience_ms=9_000)),
    ],
    ids=["refused", "out of patience"],
)
def test_what_no_engine_ever_answers_is_lost_and_told(
    error: EngineError, values: SessionValues
) -> None:
    meeting = Meeting.begun(values=values)
    meeting.play(speech(20) + silence(10))
    for _ in range(2):
        meeting.fail(error)
        assert meeting.orders == []
        meeting.wait(5000)
    meeting.fail(error)
    meeting.end()

    assert [gap["reason"] for gap in meeting.told("gap")] == [error.code]
    assert meeting.status() == "completed"
    assert sum(meeting.fates()[1:]) == meeting.fates()[0]


def test_speaker_events_name_the_words_of_a_mixed_stream() -> None:
    meeting = Meeting.begun()
    meeting.send(
        ClockFact(0, 0, 0, ZERO_UNIX_MS),
        SpeakerFact(1, "start", "p1", "Ana", SampleMoment(0, 0)),
        SpeakerFact(2, "stop", "p1", "Ana", SampleMoment(0, RATE)),
        SpeakerFact(3, "start", "p2", "Ben", SampleMoment(0, RATE)),
    )
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Shall", 100, 400), ("we?", 500, 900), ("Yes", 1200, 1500)))

    assert meeting.lines() == [("Ana", "Shall we?"), ("Ben", "Yes")]


def test_facts_that_come_before_any_audio_count() -> None:
    meeting = Meeting.begun()
    meeting.send(SpeakerFact(0, "start", "p1", "Ana", SampleMoment(0, 0)))
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Hello.", 100, 1800)))
    assert meeting.lines() == [("Ana", "Hello.")]


def test_final_lines_are_translated_and_the_end_waits_for_it() -> None:
    meeting = Meeting.begun(targets=("pt", "en"))
    meeting.play(speech(20))
    meeting.end()
    meeting.answer(words(("Hello.", 100, 1800)))
    requests = [request for step in meeting.steps for request in step.translate]
    assert [(one.text, one.target) for one in requests] == [("Hello.", "pt")]
    assert meeting.status() == "ending"

    meeting.session.translations.answered(requests[0], "Olá.", "test")
    meeting.settle()

    assert meeting.told("translation")[0]["text"] == "Olá."
    assert meeting.status() == "completed"


def fail_translations(meeting: Meeting, error: EngineError) -> int:
    """The requests that were sent last fail; how many they are."""
    requests, ends = meeting.steps[-1].translate, meeting.status() == "ending"
    for request in requests:
        meeting.session.translations.failed(request, error, meeting.now_ms, session_ends=ends)
    return len(requests)


def requests_failed_until(meeting: Meeting, until_ms: int, error: EngineError) -> int:
    """How many requests for a translation fail until then."""
    failed = 0
    while meeting.now_ms < until_ms:
        failed += fail_translations(meeting, error)
        meeting.wait(500)
    return failed


def test_a_line_waits_for_a_translation_service_that_restarts() -> None:
    meeting = Meeting.begun(targets=("pt",))
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Hello.", 100, 1800)))
    assert 5 < requests_failed_until(meeting, 60_000, EngineError("no connection")) < 10
    assert meeting.told("translation") == []

    while not (asked := meeting.steps[-1].translate):
        meeting.wait(500)
    meeting.session.translations.answered(asked[0], "Olá.", "test")
    meeting.settle()
    assert [one["state"] for one in meeting.told("translation")] == ["final"]


def test_a_translation_that_does_not_come_is_given_up() -> None:
    meeting = Meeting.begun(targets=("pt",), values=SessionValues(translation_patience_ms=60_000))
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Hello.", 100, 1800)))
    requests_failed_until(meeting, 90_000, EngineError("no connection"))
    assert [one["state"] for one in meeting.told("translation")] == ["failed"]


@pytest.mark.parametrize("ends", [True, False])
def test_a_translation_that_is_refused_or_holds_up_the_end_is_tried_three_times(ends: bool) -> None:
    meeting = Meeting.begun(targets=("pt",))
    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Hello.", 100, 1800)))
    error = EngineError("no connection") if ends else EngineRefused("too long")
    asked = [request for step in meeting.steps for request in step.translate]
    if ends:
        meeting.end()
    failed = meeting.session.translations.failed
    failed(asked[0], error, meeting.now_ms, session_ends=ends)
    meeting.wait(500)
    assert requests_failed_until(meeting, 30_000, error) == 2
    assert [one["state"] for one in meeting.told("translation")] == ["failed"]
    assert meeting.status() == ("completed" if ends else "active")


def test_a_language_pair_that_no_engine_has_is_said_once() -> None:
    meeting = Meeting.begun(targets=("de",))
    for _ in range(2):
        meeting.play(speech(20) + silence(10))
        meeting.answer(words(("Hello.", 100, 1800)))
        for request in [one for step in meeting.steps for one in step.translate]:
            meeting.session.translations.unsupported(request)
        meeting.settle()
    assert [alert["code"] for alert in meeting.told("alert")] == ["unsupported_language_pair"]


def test_a_session_says_what_waits_for_engines() -> None:
    meeting = Meeting.begun(targets=("pt", "es"))
    assert meeting.session.figures.queues == {"chunks_waiting": 0, "translations_waiting": 0}
    meeting.play(speech(60))
    assert meeting.session.figures.queues["chunks_waiting"] == 1
    while meeting.orders:
        meeting.answer(words(("Hello.", 1000, 1400)))
    meeting.play(silence(20))
    meeting.end()
    while meeting.orders:
        meeting.answer(words(("Hello.", 1000, 1400)))
    assert meeting.session.figures.queues["chunks_waiting"] == 0
    assert meeting.session.figures.queues["translations_waiting"] == 2 * len(meeting.lines()) > 0


def test_slow_transcripts_make_the_session_delayed_and_good_ones_active_again() -> None:
    meeting = Meeting.begun(values=SessionValues(delayed_after_ms=5000, recovered_below_ms=3000))
    meeting.play(speech(60))
    assert meeting.status() == "delayed"
    meeting.play(silence(10))
    while meeting.orders:
        meeting.answer(words(("la", 100, 400)))
    assert meeting.status() == "active"


def test_an_answer_that_stops_in_the_middle_of_speech_is_not_believed_to_be_all() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(30) + silence(10))
    first = meeting.answer(words(("Heard", 100, 500), ("this.", 600, 1100)))
    rest = meeting.answer(words(("And", 100, 400), ("that.", 500, 1800)))

    assert first.chunk.is_final
    assert rest.chunk.start > first.chunk.start + RATE
    assert rest.chunk.end == first.chunk.end
    meeting.end()
    assert [text for _, text in meeting.lines()] == ["Heard this.", "And that."]
    assert meeting.status() == "completed"


def test_an_engine_that_knows_no_times_is_not_asked_for_the_same_audio_for_ever() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(30) + silence(10))
    meeting.answer(words(("Good", 0, 0), ("morning.", 0, 0)))
    assert meeting.orders == []
    meeting.end()
    assert meeting.status() == "completed"


def test_an_answer_without_words_does_not_tell_the_language_of_the_words_before() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(45))
    meeting.answer(words(("Olá,", 300, 600), ("mundo.", 3600, 3900), language="pt"))
    meeting.play(silence(10))
    meeting.answer(words(language="cy"))
    lines = [segment for step in meeting.steps for segment in step.changes.segments]
    assert {line.language for line in lines} == {"pt"}
    assert lines[-1].text.endswith("mundo.")


def test_what_the_next_chunk_holds_as_well_is_not_said_to_be_lost() -> None:
    chunking = ChunkingValues(pause_search_ms=2000)
    meeting = Meeting.begun(values=SessionValues(chunking=chunking, refused_attempts=1))
    meeting.play(speech(41))
    meeting.answer(words(("One", 100, 3900)))
    # A pause lays the second cut so near to the first that the next chunk holds all that is new.
    meeting.play(speech(9) + silence(3) + speech(12))
    order = meeting.fail(EngineRefused("no"))
    assert not order.chunk.is_final
    assert [gap for gap in meeting.told("gap") if gap["end"] <= gap["start"]] == []  # type: ignore[operator]


def test_a_frame_longer_than_memory_is_heard_whole() -> None:
    meeting = Meeting.begun(values=SessionValues(buffer_ms=4000))
    frame = AudioFrame(0, 0, 0, silence(300) + speech(20))
    meeting.send(frame)
    meeting.send(EndOfStreams(((0, 0),), -1))
    assert meeting.fates()[0] == 320 * RATE // 10
    assert [order.chunk.is_final for order in meeting.orders] == [True]


def test_an_answer_without_words_is_believed() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(10))
    meeting.answer(words())
    meeting.end()
    assert meeting.status() == "completed"


def test_every_state_but_the_last_has_a_way_out() -> None:
    assert {state for state, ways in TRANSITIONS.items() if not ways} == {"completed", "failed"}
    assert {one for ways in TRANSITIONS.values() for one in ways} <= set(TRANSITIONS)


def test_who_leaves_with_the_end_is_told_before_it() -> None:
    meeting = Meeting.begun()
    meeting.play(silence(5))
    leaves = ParticipantFact(0, "leave", ParticipantRef("p1", "Ana"), None)
    meeting.send(leaves, EndOfStreams(((0, 4),), 0))
    assert [event.type for event in meeting.events[-3:]] == ["status", "participant", "status"]
    assert meeting.status() == "completed"
