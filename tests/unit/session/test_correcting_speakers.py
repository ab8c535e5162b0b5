"""A correction repaints the whole meeting, is stored with it, and outlives the actor."""

from dataclasses import replace

import pytest

from orchestration.errors import BadRequest, UnknownSpeaker
from orchestration.session.inputs import ParticipantRef, SampleMoment, SpeakerFact
from orchestration.session.session import Session
from orchestration.session.speaker_corrections import LabelCorrelations
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import (
    Correction,
    MapSpeaker,
    MergeSpeakers,
    Person,
    RenameSpeaker,
    UnmapSpeaker,
)
from orchestration.speakers.correlator import Correlator
from orchestration.speakers.label_evidence import Together
from orchestration.speakers.label_names import LabelName
from orchestration.storage.values import ParticipantRow
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord
from tests.unit.session.meeting import Meeting, claim, silence, speech, words

CLARA = Person("c1", "Clara")
SECOND = 1_000_000_000


def stored(number: int, speaker: SpeakerName | None) -> Segment:
    start_ns = number * SECOND
    word = TimedWord("hello", start_ns, start_ns + SECOND, 0.9)
    return Segment(f"weekly:0:{number}", 1, 0, start_ns, start_ns + SECOND, speaker, "en", (word,))


ANA = SpeakerName("p1", "Ana", 0.9, "temporal")
OLD = [stored(number, ANA if number % 2 else None) for number in range(4)]


def reopened(corrections: tuple[Correction, ...] = ()) -> Meeting:
    """A session whose segments are stored, taken up by a new actor."""
    meeting = Meeting(Session(replace(claim(), repaintable=OLD[2:]), SessionValues(), 0))
    for one in corrections:
        meeting.session.correct(one, OLD)
        meeting.settle()
    return meeting


def painted(meeting: Meeting) -> dict[str, str | None]:
    """The last name of each segment that was repainted."""
    segments = [one for step in meeting.steps for one in step.changes.segments]
    return {one.segment_id: one.speaker.name if one.speaker else None for one in segments}


def test_a_rename_repaints_what_is_no_more_in_memory_as_well() -> None:
    meeting = reopened((RenameSpeaker("p1", "Ana Lima"),))
    assert painted(meeting) == {"weekly:0:1": "Ana Lima", "weekly:0:3": "Ana Lima"}
    (told,) = meeting.told("speaker")
    assert told["segments"] == [
        {"segment_id": "weekly:0:1", "revision": 2},
        {"segment_id": "weekly:0:3", "revision": 2},
    ]
    (row,) = [row for step in meeting.steps for row in step.changes.corrections]
    assert (row.number, row.body["correction"]) == (0, "rename")


def test_a_mapped_segment_is_that_persons_until_it_is_unmapped() -> None:
    meeting = reopened((MapSpeaker(CLARA, segment_id="weekly:0:2"),))
    assert painted(meeting) == {"weekly:0:2": "Clara"}
    meeting.session.correct(UnmapSpeaker(segment_id="weekly:0:2"), OLD)
    meeting.settle()
    assert painted(meeting) == {"weekly:0:2": None}
    assert meeting.told("speaker")[-1]["speaker"] is None


def test_a_mapped_speaker_is_told_with_method_manual_and_kept_as_a_correlation() -> None:
    meeting = reopened((MapSpeaker(CLARA, speaker_id="p1"),))
    (told,) = meeting.told("speaker")
    assert told["speaker"] == {"id": "c1", "name": "Clara", "confidence": 1.0, "method": "manual"}
    (row,) = [row for step in meeting.steps for row in step.changes.correlations]
    assert (row.source, row.speaker.name, row.kind) == ("p1", "Clara", "exact")


def test_corrections_hold_after_a_restart() -> None:
    first = reopened((MapSpeaker(CLARA, segment_id="weekly:0:2"), RenameSpeaker("c1", "Clara B")))
    bodies = [row.body for step in first.steps for row in step.changes.corrections]
    again = Meeting(
        Session(replace(claim(), repaintable=OLD[2:], corrections=bodies), SessionValues(), 0)
    )
    again.session.correct(RenameSpeaker("p1", "Ana Lima"), OLD)
    again.settle()
    (row,) = [row for step in again.steps for row in step.changes.corrections]
    assert row.number == 2
    assert painted(again)["weekly:0:2"] == "Clara B"


@pytest.mark.parametrize(
    "correction",
    [
        MapSpeaker(CLARA),
        MapSpeaker(CLARA, segment_id="weekly:0:9"),
        MapSpeaker(CLARA, segment_id="weekly:0:1", speaker_id="p1"),
        MapSpeaker(Person("c1", " "), speaker_id="p1"),
        MergeSpeakers("p1", "p9"),
        RenameSpeaker("p1", "x" * 201),
    ],
)
def test_a_correction_about_nobody_is_refused_and_changes_nothing(correction: Correction) -> None:
    meeting = reopened()
    with pytest.raises((BadRequest, UnknownSpeaker)):
        meeting.session.correct(correction, OLD)
    meeting.settle()
    assert [row for step in meeting.steps for row in step.changes.corrections] == []


def test_words_heard_before_a_correction_and_final_after_it_have_its_name() -> None:
    meeting = Meeting.begun()
    meeting.send(
        SpeakerFact(0, "start", "p1", "Ana", SampleMoment(0, 0)),
    )
    meeting.play(speech(45))
    meeting.answer(words(("Shall", 100, 400), ("we", 3700, 3900)))
    assert meeting.lines() == []
    meeting.session.correct(RenameSpeaker("p1", "Ana Lima"), [])
    meeting.play(silence(30))
    while meeting.orders:
        meeting.answer(words())
    meeting.session.end_now(meeting.now_ms)
    meeting.settle()
    assert {name for name, _ in meeting.lines()} == {"Ana Lima"}


def test_words_to_come_have_the_corrected_name() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(20) + silence(20))
    meeting.answer(words(("Shall", 100, 400), ("we?", 500, 700)))
    meeting.session.correct(MapSpeaker(CLARA, segment_id="weekly:0:0"), [])
    meeting.settle()
    assert meeting.lines()[-1] == ("Clara", "Shall we?")


def test_a_label_that_has_a_name_again_which_it_gave_up_is_news() -> None:
    correlator, labels = Correlator(), LabelCorrelations()
    alone, longer = Together(9.0, 3, 1), Together(30.0, 9, 3)
    both = {"ben": alone, "ana": Together(8.0, 3, 1)}
    told = []
    for together in (
        {"voice:0:w#1": {"ben": alone}},
        {"voice:0:w#1": both, "voice:0:w#2": {"ben": longer}},
        {"voice:0:w#1": {"ben": alone}},
    ):
        correlator.label_names.update(together)
        told.append([(row.source, row.speaker.name) for row in labels.news(correlator)])
    assert told == [[("voice:0:w#1", "ben")], [("voice:0:w#2", "ben")], [("voice:0:w#1", "ben")]]


def test_a_name_that_a_label_has_kept_in_doubt_outlives_the_actor() -> None:
    label = "voice:0:w#1"
    lines = [
        replace(one, words=tuple(replace(word, label=label) for word in one.words))
        for one in (
            stored(number, SpeakerName("p1", "Ana", 0.9, "acoustic")) for number in range(4)
        )
    ]
    # She had it by what is no more in memory.
    taken = replace(
        claim(),
        repaintable=lines,
        participants=[ParticipantRow(ParticipantRef("p1", "Ana"), None, None)],
        voices={label: LabelName("p1", 0.9, 40.0, 9)},
    )
    meeting = Meeting(Session(taken, SessionValues(), 0))
    meeting.session.replayed(0)
    meeting.settle()
    assert painted(meeting) == {}
    meeting.session.correct(None, lines)
    meeting.settle()
    assert painted(meeting) == {}
