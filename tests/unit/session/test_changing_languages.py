"""A running session is heard in, and translated to, other languages."""

from dataclasses import replace

from orchestration.services.ports import TranslationRequest
from orchestration.session.session import Session
from orchestration.session.translation_desk import PAST_AT_ONCE
from orchestration.session.values import SessionValues
from tests.storage_values import segment
from tests.unit.session.meeting import Meeting, claim, silence, speech, words

SAID = words(("Shall", 100, 400), ("we", 500, 700), ("begin?", 800, 1200))


def begun(*targets: str) -> Meeting:
    return Meeting.begun(
        targets=targets, values=SessionValues(translation_attempts=1, translation_patience_ms=0)
    )


def say(meeting: Meeting) -> set[str | None]:
    """Somebody says a line; the languages that whisper was asked for."""
    meeting.play(speech(20) + silence(20))
    languages = {meeting.answer(SAID).language}
    while meeting.orders:
        languages.add(meeting.answer(words()).language)
    return languages


def asked(meeting: Meeting) -> list[TranslationRequest]:
    return [request for step in meeting.steps for request in step.translate]


def look_back(meeting: Meeting) -> None:
    """The lines that are stored without a translation to what the session wants are read."""
    place = meeting.session.translations.due_past
    assert place is not None
    done = {(one.segment_id, one.target) for one in asked(meeting)}
    lines = [one for step in meeting.steps for one in step.changes.segments]
    missing = [(one, "es") for one in lines if (one.segment_id, "es") not in done]
    meeting.session.translations.want_past(place, missing)
    meeting.settle()


def test_the_next_chunk_is_asked_for_in_the_language_that_holds_by_then() -> None:
    meeting = begun()
    assert say(meeting) == {"en"}
    meeting.session.speak("pt", ())
    assert say(meeting) == {"pt"}
    meeting.session.speak(None, ())
    assert say(meeting) == {None}


def test_a_language_that_is_heard_anew_is_not_the_one_that_was_settled_before() -> None:
    meeting = begun()
    meeting.session.speak(None, ())
    for _ in range(2):
        say(meeting)
    assert meeting.session.language_of(0) == "en"
    meeting.session.speak("pt", ())
    meeting.session.speak(None, ())
    assert meeting.session.language_of(0) is None


def test_lines_of_before_are_translated_to_a_language_that_comes_behind_those_of_now() -> None:
    meeting = begun()
    for _ in range(6):
        say(meeting)
    meeting.session.speak("en", ("es",))
    meeting.settle()
    look_back(meeting)
    under_way = asked(meeting)
    assert [one.segment_id for one in under_way] == [f"weekly:0:{number}" for number in range(4)]
    assert meeting.session.translations.due_past is None
    say(meeting)
    for request in under_way:
        meeting.session.translations.answered(request, "hola", "scripted")
    meeting.settle()
    then = [one.segment_id for one in asked(meeting)[4:]]
    assert then == ["weekly:0:6", "weekly:0:4", "weekly:0:5"]


def test_a_language_that_goes_is_asked_for_no_more() -> None:
    meeting = begun("pt")
    for _ in range(6):
        say(meeting)
    under_way = asked(meeting)
    assert len(under_way) == 4
    meeting.session.speak("en", ())
    for request in under_way:
        meeting.session.translations.answered(request, "olá", "scripted")
    meeting.settle()
    assert (asked(meeting), meeting.told("translation")) == (under_way, [])
    assert meeting.session.translations.due_past is None


def test_a_session_does_not_complete_before_its_lines_have_the_language_that_came() -> None:
    meeting = begun()
    say(meeting)
    meeting.session.speak("en", ("es",))
    meeting.end()
    assert meeting.status() == "ending"
    look_back(meeting)
    (request,) = asked(meeting)
    meeting.session.translations.answered(request, "¿Empezamos?", "scripted")
    meeting.settle()
    assert meeting.status() == "completed"


LONG_AGO = [segment(number, language="en") for number in range(5_000)]


def read_back(meeting: Meeting, target: str) -> int:
    """Some of the lines of long ago are read that are not in this language; how many."""
    place = meeting.session.translations.due_past
    if place is None:
        return 0
    first = 0 if place.after is None else [one.segment_id for one in LONG_AGO].index(place.after[2])
    page = LONG_AGO[first + (place.after is not None) :][:PAST_AT_ONCE]
    meeting.session.translations.want_past(place, [(one, target) for one in page])
    meeting.settle()
    return len(page)


def test_the_lines_of_a_long_meeting_are_read_back_some_at_a_time_each_once() -> None:
    resumed = claim(targets=("es",), segment_counts={0: len(LONG_AGO)})
    meeting = Meeting(Session(resumed, SessionValues(), 0))
    translated: list[str] = []
    while read_back(meeting, "es") or len(translated) < len(asked(meeting)):
        assert meeting.session.figures.queues["translations_waiting"] <= PAST_AT_ONCE * 3 // 2
        for request in asked(meeting)[len(translated) :]:
            translated.append(request.segment_id)
            meeting.session.translations.answered(request, "hola", "scripted")
        meeting.settle()
    assert translated == [one.segment_id for one in LONG_AGO]
    assert meeting.session.translations.due_past is None


def test_a_language_that_comes_while_earlier_lines_are_read_has_all_of_them() -> None:
    resumed = claim(targets=("es",), segment_counts={0: 1})
    meeting = Meeting(Session(resumed, SessionValues(), 0))
    place = meeting.session.translations.due_past
    assert place is not None
    meeting.session.speak("en", ("es", "pt"))
    meeting.session.translations.want_past(place, [(LONG_AGO[0], "es")])
    meeting.settle()
    assert asked(meeting) == []
    again = meeting.session.translations.due_past
    assert again not in (None, place)
    lines = [(LONG_AGO[0], "es"), (LONG_AGO[0], "pt")]
    meeting.session.translations.want_past(again or place, lines)
    meeting.settle()
    assert [one.target for one in asked(meeting)] == ["es", "pt"]


def test_a_line_whose_translation_has_just_come_is_not_asked_for_again() -> None:
    meeting = begun("es")
    say(meeting)
    (request,) = asked(meeting)
    meeting.session.speak("en", ("es", "pt"))
    meeting.settle()
    place = meeting.session.translations.due_past
    assert place is not None
    meeting.session.translations.answered(request, "hola", "scripted")
    (line,) = [one for step in meeting.steps for one in step.changes.segments]
    meeting.session.translations.want_past(place, [(line, "es"), (line, "pt")])
    meeting.settle()
    assert [one.target for one in asked(meeting)] == ["es", "pt"]


def test_a_new_session_has_no_earlier_lines_to_read() -> None:
    assert Session(claim(targets=("es",)), SessionValues(), 0).translations.due_past is None


def test_viewers_are_told_of_changed_languages_at_once_and_once() -> None:
    meeting = begun("pt")
    meeting.session.speak("en", ("pt",))
    meeting.session.speak(None, ("es", "pt"))
    meeting.session.speak(None, ("es", "pt"))
    meeting.settle()
    assert meeting.told("session") == [{"language": None, "target_languages": ["es", "pt"]}]


def test_a_change_that_an_incarnation_before_may_not_have_told_is_told() -> None:
    resumed = replace(claim(targets=("es",)), epoch=2, has_untold_languages=True)
    meeting = Meeting(Session(resumed, SessionValues(), 0))
    meeting.settle()
    meeting.session.speak("en", ("es",))
    meeting.settle()
    assert meeting.told("session") == [{"language": "en", "target_languages": ["es"]}]
