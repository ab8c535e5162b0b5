"""What the follower of Google Meet needs from outside: Meet, the jobs' store, running sessions."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestration.meet.roster_changes import KnownParticipant
from orchestration.meet.schedule import MeetJob, Outcome
from orchestration.meet.values import (
    Attendee,
    Conference,
    Presence,
    Transcript,
    TranscriptEntry,
)
from orchestration.session.inputs import ParticipantSighting


class MeetRecords(Protocol):
    """What is asked of Google Meet; raises GoogleMeetError."""

    async def conferences(self, meeting_code: str, since_ms: int) -> list[Conference]: ...
    async def attendees(self, conference: str) -> list[Attendee]: ...
    async def presences(self, attendee: str) -> list[Presence]: ...
    async def transcripts(self, conference: str) -> list[Transcript]: ...
    async def entries(self, transcript: str) -> list[TranscriptEntry]: ...


class MeetJobs(Protocol):
    """What is due; raises DatabaseUnavailable."""

    async def enrol(self, now_ms: int) -> int:
        """Take up new sessions that are Google Meet's; returns how many."""
        ...

    async def lease(self, now_ms: int, lease_ms: int, limit: int) -> Sequence[MeetJob]:
        """Jobs that are due, for nobody else until the lease is over."""
        ...

    async def settle(self, session_id: str, outcome: Outcome) -> None: ...

    async def known(self, session_id: str) -> Sequence[KnownParticipant]: ...

    async def link(self, session_id: str, links: Sequence[tuple[str, str]]) -> None:
        """Store which participants are which attendees."""
        ...

    async def note_presences(
        self, session_id: str, presences: Mapping[str, Sequence[Presence]]
    ) -> None:
        """Store the stays of participants, by attendee."""
        ...


class RunningSessions(Protocol):
    """The sessions' actors."""

    def has_actor(self, session_id: str) -> bool: ...

    async def sighted(self, session_id: str, sightings: Sequence[ParticipantSighting]) -> None:
        """Tell a running session who is there; raises Unavailable."""
        ...
