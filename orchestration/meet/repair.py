"""What Google Meet's records change in a session that has ended. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestration.json_types import JsonObject, JsonValue
from orchestration.meet.naming import Repaint, SaidBy, plan_repaints
from orchestration.meet.roster_changes import KnownParticipant, RosterChanges, roster_changes
from orchestration.meet.values import Attendee, TranscriptEntry
from orchestration.session.events import DurableEvent, participant_event, seconds, speaker_json
from orchestration.session.inputs import ParticipantSighting
from orchestration.speakers.corrections import Corrections
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import CorrelationRow, ParticipantRow
from orchestration.timing.units import NS_PER_MS
from orchestration.transcript.segments import TYPE_OF_METHOD, Segment

MAX_SEGMENTS_PER_EVENT = 500
"""Lines that one `speaker` event repaints; more go into further events."""


@dataclass(frozen=True, slots=True)
class Repair:
    """New links of participants to attendees, and what is to be stored and told."""

    roster: RosterChanges
    repaints: Sequence[Repaint]

    @property
    def is_empty(self) -> bool:
        """Whether the session knows it all."""
        return not (self.roster.sightings or self.repaints)

    @property
    def lines(self) -> int:
        """How many lines get another speaker."""
        return sum(len(one.segments) for one in self.repaints)

    def corrected(self, corrections: Corrections) -> "Repair":
        """With the names that people gave: what they said by hand, no record outweighs."""
        return replace(self, repaints=[_corrected(one, corrections) for one in self.repaints])

    def changes(self, last_event_seq: int, zero_unix_ms: int) -> SessionChanges:
        """The rows, and the events after `last_event_seq` that tell them."""
        bodies: list[tuple[str, JsonObject]] = []
        for sighting in self.roster.sightings:
            at_ns = _session_ns(sighting.joined_unix_ms, zero_unix_ms)
            bodies.append(participant_event("join", sighting.participant, at_ns))
        for repaint in self.repaints:
            for first in range(0, len(repaint.segments), MAX_SEGMENTS_PER_EVENT):
                part = repaint.segments[first : first + MAX_SEGMENTS_PER_EVENT]
                bodies.append(("speaker", _repaint_json(repaint, part)))
        return SessionChanges(
            events=[
                DurableEvent(last_event_seq + number, kind, body)
                for number, (kind, body) in enumerate(bodies, start=1)
            ],
            segments=[segment for repaint in self.repaints for segment in repaint.segments],
            correlations=[row for repaint in self.repaints for row in _correlations(repaint)],
            participants=[_row(one, zero_unix_ms) for one in self.roster.sightings],
        )


def plan_repair(
    segments: Sequence[Segment],
    known: Sequence[KnownParticipant],
    attendees: Sequence[Attendee],
    entries: Sequence[TranscriptEntry],
    *,
    zero_unix_ms: int,
    now_ms: int,
) -> Repair:
    """What the records of a conference tell that its session does not know."""
    roster = roster_changes(known, attendees, now_ms)
    said = _said_by(known, roster, attendees, entries, zero_unix_ms)
    return Repair(roster, plan_repaints(segments, said))


def _said_by(
    known: Sequence[KnownParticipant],
    roster: RosterChanges,
    attendees: Sequence[Attendee],
    entries: Sequence[TranscriptEntry],
    zero_unix_ms: int,
) -> list[SaidBy]:
    """Entries on the session's timeline, by the session's participants; a bot's are left out."""
    people = {one.participant_id: one for one in known}
    ids = {one.meet_id: one.participant_id for one in known if one.meet_id}
    ids |= {meet_id: participant_id for participant_id, meet_id in roster.links}
    shown = {one.name: one.display_name for one in attendees}
    said = []
    for entry in entries:
        participant_id = ids.get(entry.attendee, entry.attendee)
        person = people.get(participant_id)
        name = person.name if person else shown.get(entry.attendee)
        if name is not None and not (person and person.is_bot):
            start_ns = (entry.started_ms - zero_unix_ms) * NS_PER_MS
            end_ns = (entry.ended_ms - zero_unix_ms) * NS_PER_MS
            said.append(SaidBy(participant_id, name, entry.text, start_ns, end_ns))
    return said


def _row(sighting: ParticipantSighting, zero_unix_ms: int) -> ParticipantRow:
    return ParticipantRow(
        sighting.participant,
        _session_ns(sighting.joined_unix_ms, zero_unix_ms),
        _session_ns(sighting.left_unix_ms, zero_unix_ms),
    )


def _session_ns(unix_ms: int | None, zero_unix_ms: int) -> int | None:
    return None if unix_ms is None else max(0, (unix_ms - zero_unix_ms) * NS_PER_MS)


def _corrected(repaint: Repaint, corrections: Corrections) -> Repaint:
    speaker = corrections.corrected(repaint.speaker)
    segments = tuple(replace(one, speaker=speaker) for one in repaint.segments)
    return replace(repaint, speaker=speaker, segments=segments)


def _correlations(repaint: Repaint) -> list[CorrelationRow]:
    """Why each line is whose it is: Meet's entries."""
    return [
        CorrelationRow(
            segment.segment_id,
            repaint.speaker,
            TYPE_OF_METHOD[repaint.speaker.method],
            repaint.shift_ns,
            {"entries": [_entry_json(one) for one in said]},
            segment,
        )
        for segment, said in zip(repaint.segments, repaint.evidence, strict=True)
    ]


def _entry_json(said: SaidBy) -> JsonObject:
    return {
        "participant_id": said.participant_id,
        "name": said.name,
        "text": said.text,
        "start": seconds(said.start_ns),
        "end": seconds(said.end_ns),
    }


def _repaint_json(repaint: Repaint, segments: Sequence[Segment]) -> JsonObject:
    listed: list[JsonValue] = [
        {"segment_id": segment.segment_id, "revision": segment.revision} for segment in segments
    ]
    return {"speaker": speaker_json(repaint.speaker), "segments": listed}
