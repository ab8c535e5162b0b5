"""Names that are learnt late repaint what is final, and nothing else of it."""

from orchestration.services.ports import Hypothesis, HypothesisSegment, HypothesisWord
from orchestration.session.inputs import (
    CaptionFact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
)
from tests.unit.session.meeting import RATE, Meeting, silence, speech, words

ANA = ParticipantRef("p1", "Ana")


def spoken(meeting: Meeting) -> None:
    meeting.play(speech(20) + silence(20))
    meeting.answer(words(("Shall", 100, 400), ("we", 500, 700), ("begin?", 800, 1200)))


def at(seconds: float) -> SampleMoment:
    return SampleMoment(0, int(seconds * RATE))


def test_a_late_event_still_names_its_words() -> None:
    meeting = Meeting.begun()
    spoken(meeting)
    assert meeting.lines() == [(None, "Shall we begin?")]
    meeting.send(
        SpeakerFact(0, "start", "p1", "Ana", at(0)), SpeakerFact(1, "stop", "p1", "Ana", at(2))
    )
    (told,) = meeting.told("speaker")
    (before, after) = [one for step in meeting.steps for one in step.changes.segments]
    assert told["segments"] == [{"segment_id": "weekly:0:0", "revision": 2}]
    assert after.speaker is not None
    assert (after.speaker.name, after.revision) == ("Ana", 2)
    assert after.words == before.words


def test_a_caption_names_the_words_it_has() -> None:
    meeting = Meeting.begun()
    spoken(meeting)
    meeting.send(CaptionFact(0, "p1", "Ana", "shall we begin", at(1), at(2)))
    (told,) = meeting.told("speaker")
    assert isinstance(told["speaker"], dict)
    assert (told["speaker"]["name"], told["speaker"]["method"]) == ("Ana", "caption_text")


def test_a_new_display_name_is_everywhere() -> None:
    meeting = Meeting.begun()
    meeting.send(
        SpeakerFact(0, "start", "p1", "Ana", at(0)), SpeakerFact(1, "stop", "p1", "Ana", at(2))
    )
    spoken(meeting)
    assert meeting.told("speaker") == []
    meeting.send(ParticipantFact(2, "join", ParticipantRef("p1", "Ana Lima"), None))
    (told,) = meeting.told("speaker")
    assert isinstance(told["speaker"], dict)
    assert told["speaker"]["name"] == "Ana Lima"


def test_labels_split_lines_and_are_named_when_nobody_else_is() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(20))
    heard = tuple(
        HypothesisWord(text, start, start + 300, 0.9, label)
        for text, start, label in (
            ("Shall", 100, "SPEAKER_00"),
            ("we?", 500, "SPEAKER_00"),
            ("Yes.", 1000, "SPEAKER_01"),
        )
    )
    meeting.answer(Hypothesis("en", (HypothesisSegment(heard),), "scripted", label_scope="session"))
    assert meeting.lines() == [("Speaker A", "Shall we?"), ("Speaker B", "Yes.")]


def test_labels_of_one_answer_name_nobody() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(20))
    heard = (HypothesisWord("Yes.", 1000, 1300, 0.9, "SPEAKER_01"),)
    meeting.answer(Hypothesis("en", (HypothesisSegment(heard),), "scripted"))
    assert meeting.lines() == [(None, "Yes.")]


def test_the_last_names_come_before_the_end() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(20))
    meeting.answer(words(("Shall", 100, 400), ("we?", 500, 700)))
    meeting.send(
        SpeakerFact(0, "start", "p1", "Ana", at(0)), SpeakerFact(1, "stop", "p1", "Ana", at(2))
    )
    meeting.end(last_fact=1)
    while meeting.orders:
        meeting.answer(words())
    kinds = [event.type for event in meeting.events]
    assert meeting.status() == "completed"
    assert kinds.index("speaker") < len(kinds) - 1
    assert kinds[-1] == "status"
    assert meeting.lines()[-1] == ("Ana", "Shall we?")
