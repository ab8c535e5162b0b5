"""Google Meet's attendees against the participants that a session knows. Pure.

A bot names people by what it sees in the page, Meet's records by ids of their own. What ties the
two is the name, where nobody else has it. An attendee that no participant answers to becomes one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.meet.values import Attendee
from orchestration.session.inputs import ParticipantRef, ParticipantSighting

ADOPT_AFTER_MS = 60_000
"""An attendee is made a participant only this long after joining: the bot, which tells of people
as they come, has had its say by then, and one person does not become two."""


@dataclass(frozen=True, slots=True)
class KnownParticipant:
    """A participant as stored; `meet_id` is the attendee's resource name, once it is known."""

    participant_id: str
    name: str
    is_bot: bool
    meet_id: str | None
    has_joined: bool
    has_left: bool


@dataclass(frozen=True, slots=True)
class RosterChanges:
    """`links` are (participant id, attendee's resource name) pairs that are new."""

    links: tuple[tuple[str, str], ...]
    sightings: tuple[ParticipantSighting, ...]


def roster_changes(
    known: Sequence[KnownParticipant], attendees: Sequence[Attendee], now_ms: int
) -> RosterChanges:
    """What the attendees tell that the session does not know yet."""
    linked = {one.meet_id: one for one in known if one.meet_id}
    links: list[tuple[str, str]] = []
    sightings: list[ParticipantSighting] = []
    by_name = _unlinked_by_name(known)
    rivals = Counter(_folded(one.display_name) for one in attendees if one.name not in linked)
    for attendee in attendees:
        name = _folded(attendee.display_name)
        participant = linked.get(attendee.name)
        if participant is None and rivals[name] == 1 and name in by_name:
            participant = by_name[name]
            links.append((participant.participant_id, attendee.name))
        if participant is None:
            if attendee.joined_ms is None or now_ms - attendee.joined_ms < ADOPT_AFTER_MS:
                continue
            links.append((attendee.name, attendee.name))
            sightings.append(
                _sighting(ParticipantRef(attendee.name, attendee.display_name), attendee)
            )
        elif (attendee.joined_ms and not participant.has_joined) or (
            attendee.left_ms and not participant.has_left
        ):
            ref = ParticipantRef(
                participant.participant_id, participant.name, None, participant.is_bot
            )
            sightings.append(_sighting(ref, attendee))
    return RosterChanges(tuple(links), tuple(sightings))


def _sighting(participant: ParticipantRef, attendee: Attendee) -> ParticipantSighting:
    return ParticipantSighting(participant, attendee.joined_ms, attendee.left_ms)


def _unlinked_by_name(known: Sequence[KnownParticipant]) -> dict[str, KnownParticipant]:
    """Participants without an attendee, by a name that only they have."""
    counts = Counter(_folded(one.name) for one in known)
    return {
        _folded(one.name): one
        for one in known
        if one.meet_id is None and counts[_folded(one.name)] == 1
    }


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
