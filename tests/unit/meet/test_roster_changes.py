"""Google Meet's attendees against the participants that a session knows."""

from typing import Any

from orchestration.meet.roster_changes import ADOPT_AFTER_MS, KnownParticipant, roster_changes
from orchestration.meet.values import Attendee
from orchestration.session.inputs import ParticipantRef, ParticipantSighting

NOW_MS = 1_790_000_000_000
LONG_AGO_MS = NOW_MS - ADOPT_AFTER_MS


def known(participant_id: str, name: str, **others: Any) -> KnownParticipant:
    facts: dict[str, Any] = {"is_bot": False, "meet_id": None, "has_joined": True}
    return KnownParticipant(participant_id, name, **{**facts, "has_left": False, **others})


def attendee(
    number: int, name: str, joined_ms: int | None = LONG_AGO_MS, left_ms: int | None = None
) -> Attendee:
    return Attendee(f"m{number}", name, "signed_in", joined_ms, left_ms)


def test_a_participant_is_linked_to_the_attendee_of_the_same_name() -> None:
    changes = roster_changes([known("p1", "Ana  Lima")], [attendee(1, "ana lima")], NOW_MS)
    assert changes.links == (("p1", "m1"),)
    assert changes.sightings == ()


def test_of_namesakes_nobody_is_linked() -> None:
    two = [known("p1", "Ana"), known("p2", "Ana")]
    assert roster_changes(two, [attendee(1, "Ana", NOW_MS)], NOW_MS).links == ()
    attendees = [attendee(1, "Ana", NOW_MS), attendee(2, "Ana", NOW_MS)]
    assert roster_changes([known("p1", "Ana")], attendees, NOW_MS).links == ()


def test_a_link_outlasts_a_change_of_name() -> None:
    changes = roster_changes(
        [known("p1", "Ana", meet_id="m1")], [attendee(1, "Ana Lima", left_ms=NOW_MS)], NOW_MS
    )
    assert changes.links == ()
    assert changes.sightings == (
        ParticipantSighting(ParticipantRef("p1", "Ana"), LONG_AGO_MS, NOW_MS),
    )


def test_an_attendee_whom_the_bot_does_not_tell_of_becomes_a_participant_in_a_minute() -> None:
    assert roster_changes([], [attendee(1, "Ben", LONG_AGO_MS + 1)], NOW_MS).sightings == ()
    changes = roster_changes([], [attendee(1, "Ben")], NOW_MS)
    assert changes.sightings == (
        ParticipantSighting(ParticipantRef("m1", "Ben"), LONG_AGO_MS, None),
    )
    again = roster_changes([known("m1", "Ben", meet_id="m1")], [attendee(1, "Ben")], NOW_MS)
    assert again.sightings == ()


def test_a_join_that_the_bot_did_not_see_is_filled_in() -> None:
    bot = known("p1", "Notes", is_bot=True, has_joined=False)
    changes = roster_changes([bot], [attendee(1, "Notes")], NOW_MS)
    assert changes.sightings == (
        ParticipantSighting(ParticipantRef("p1", "Notes", None, True), LONG_AGO_MS, None),
    )
