"""A platform's new name for somebody is on all of their lines, those of long ago as well."""

from dataclasses import replace

from orchestration.json_types import JsonObject
from orchestration.session.inputs import ParticipantFact, ParticipantRef, StreamSpec
from orchestration.session.session import Session
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import MapSpeaker, Person, RenameSpeaker, correction_json
from orchestration.storage.values import ParticipantRow
from orchestration.transcript.segments import Segment, SpeakerMethod, SpeakerName, TimedWord
from tests.unit.session.meeting import FORMAT, Meeting, claim, silence, speech, words

SECOND = 1_000_000_000


def stored(number: int, speaker_id: str, name: str, method: SpeakerMethod = "temporal") -> Segment:
    start_ns = number * SECOND
    word = TimedWord("hello", start_ns, start_ns + SECOND, 0.9)
    speaker = SpeakerName(speaker_id, name, 0.9, method)
    return Segment(f"weekly:0:{number}", 1, 0, start_ns, start_ns + SECOND, speaker, "en", (word,))


LINES = [stored(0, "p1", "Ana"), stored(1, "p2", "Ben"), stored(2, "p1", "Ana")]
ANA_LIMA = ParticipantRef("p1", "Ana Lima")


def reopened(*corrections: MapSpeaker | RenameSpeaker, lines: list[Segment] = LINES) -> Meeting:
    """A session taken up by a new actor, which has the last of its lines in memory."""
    bodies = [correction_json(one) for one in corrections]
    people = [ParticipantRow(ParticipantRef("p1", "Ana"), None, None)]
    stands = replace(
        claim(),
        repaintable=lines[-1:],
        corrections=bodies,
        participants=people,
        segment_counts={0: len(lines)},
    )
    meeting = Meeting(Session(stands, SessionValues(), 0), stored=list(lines))
    meeting.open(0)
    meeting.session.connected(0)
    meeting.send(ParticipantFact(0, "join", ParticipantRef("p2", "Ben"), None))
    meeting.play(speech(1))
    return meeting


def painted(meeting: Meeting) -> dict[str, tuple[str | None, int]]:
    """The last name of each repainted segment, and its revision."""
    segments = [one for step in meeting.steps for one in step.changes.segments]
    return {
        one.segment_id: (one.speaker.name if one.speaker else None, one.revision)
        for one in segments
    }


def test_a_new_display_name_is_on_lines_that_are_no_more_in_memory() -> None:
    meeting = reopened()
    meeting.send(ParticipantFact(1, "join", ANA_LIMA, None))
    assert painted(meeting) == {"weekly:0:0": ("Ana Lima", 2), "weekly:0:2": ("Ana Lima", 2)}
    told = [one["segments"] for one in meeting.told("speaker")]
    revision: JsonObject = {"segment_id": "weekly:0:2", "revision": 2}
    assert told == [[{**revision, "segment_id": "weekly:0:0"}], [revision]]


def test_a_name_by_hand_outlasts_the_platforms_new_one() -> None:
    meeting = reopened(RenameSpeaker("p1", "Dr Ana"), lines=[stored(0, "p1", "Dr Ana"), LINES[1]])
    meeting.send(ParticipantFact(1, "join", ANA_LIMA, None))
    assert painted(meeting) == {}
    mapped = stored(0, "p1", "Anna", "manual")
    meeting = reopened(
        MapSpeaker(Person("p1", "Anna"), segment_id="weekly:0:0"), lines=[mapped, LINES[1]]
    )
    meeting.send(ParticipantFact(1, "join", ANA_LIMA, None))
    assert painted(meeting) == {}


def test_a_name_that_a_stream_of_ones_own_brings_is_on_earlier_lines_too() -> None:
    meeting = reopened()
    spec = StreamSpec(1, FORMAT, ANA_LIMA)
    assert meeting.session.check_stream(spec)
    meeting.session.open_stream(spec)
    meeting.settle()
    assert painted(meeting)["weekly:0:0"] == ("Ana Lima", 2)


def test_names_that_change_all_the_time_have_stored_lines_read_once_in_two_seconds() -> None:
    meeting = reopened()
    names = [f"Ana {number}" for number in range(10)]
    for number, name in enumerate(names):
        meeting.now_ms += 100
        meeting.send(ParticipantFact(1 + number, "join", ParticipantRef("p1", name), None))
    assert painted(meeting)["weekly:0:0"] == ("Ana 0", 2)
    meeting.stored[0] = replace(
        LINES[0], revision=2, speaker=SpeakerName("p1", "Ana 0", 0.9, "temporal")
    )
    meeting.wait(2_000)
    assert painted(meeting)["weekly:0:0"] == ("Ana 9", 3)


def test_a_rename_that_an_actor_did_not_live_to_carry_out_is_carried_out_by_the_next() -> None:
    again = reopened()
    again.session.replay_fact(ParticipantFact(1, "join", ANA_LIMA, None))
    again.settle()
    assert painted(again)["weekly:0:0"] == ("Ana Lima", 2)


def test_the_last_rename_comes_before_the_end() -> None:
    meeting = reopened()
    meeting.play(speech(20) + silence(20))
    meeting.answer(words(("Shall", 100, 400), ("we?", 500, 700)))
    meeting.send(ParticipantFact(1, "join", ParticipantRef("p1", "A. Lima"), None))
    meeting.send(ParticipantFact(2, "join", ANA_LIMA, None))
    meeting.end(last_fact=2)
    while meeting.orders:
        meeting.answer(words())
    meeting.stored[0] = replace(LINES[0], revision=2)
    assert meeting.status() == "ending"
    meeting.wait(2_000)
    assert meeting.status() == "completed"
    assert painted(meeting)["weekly:0:0"] == ("Ana Lima", 3)
    assert [event.type for event in meeting.events][-1] == "status"


def test_a_name_that_changes_while_lines_are_read_is_not_lost() -> None:
    meeting = reopened()
    renames = meeting.session.renames
    meeting.session.replay_fact(ParticipantFact(1, "join", ParticipantRef("p1", "A. Lima"), None))
    assert renames.begin(meeting.now_ms) == {"p1"}
    meeting.session.replay_fact(ParticipantFact(2, "join", ANA_LIMA, None))
    assert renames.begin(meeting.now_ms) == set()
    meeting.session.renames.end((), meeting.now_ms)
    assert renames.wait
    meeting.wait(2_000)
    assert not renames.wait
    assert painted(meeting)["weekly:0:0"] == ("Ana Lima", 2)


def test_lines_that_could_not_be_read_are_read_later() -> None:
    meeting = reopened()
    meeting.session.replay_fact(ParticipantFact(1, "join", ANA_LIMA, None))
    renamed = meeting.session.renames.begin(meeting.now_ms)
    meeting.session.renames.end(renamed, meeting.now_ms)
    meeting.wait(2_000)
    assert painted(meeting)["weekly:0:0"] == ("Ana Lima", 2)
