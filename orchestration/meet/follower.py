"""Asks Google Meet about the sessions that are its meetings, while they run and afterwards.

What is due and who looks is kept in PostgreSQL, by leases: one poller looks after each session
whatever runs this, and when it dies, another goes on.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from orchestration.errors import (
    GoogleMeetError,
    GoogleMeetRefused,
    OrchestrationError,
    UnknownSession,
)
from orchestration.meet.ports import MeetJobs, MeetRecords, RunningSessions
from orchestration.meet.repair import Repair, plan_repair
from orchestration.meet.roster_changes import roster_changes
from orchestration.meet.schedule import (
    FAILED_LONGEST_WAIT_MS,
    FAILED_PATIENCE_MS,
    MeetJob,
    Outcome,
    look_again_ms,
    transcript_due_ms,
)
from orchestration.meet.values import (
    Attendee,
    Conference,
    Presence,
    TranscriptEntry,
)
from orchestration.session.status import TERMINAL
from orchestration.speakers.corrections import restored_corrections
from orchestration.storage.archive_ports import Archive
from orchestration.storage.journal_ports import SessionJournal
from orchestration.storage.values import SessionRow

log = structlog.get_logger(__name__)

JOBS_AT_ONCE = 20
"""Sessions looked after at once; the rest follow at the next look."""

LOOK_TIMEOUT_S = 90.0
"""Longest that one session's look may take; its lease is longer."""

LEASE_MS = 120_000

EARLIER_MS = 24 * 3600 * 1000
"""A conference may have begun this long before the bot came."""

MAX_PRESENCES = 200
"""Attendees whose single stays are read; of further ones the first join and last leave are."""
PRESENCES_AT_ONCE = 8
PRESENCES_TIMEOUT_S = 30.0
"""Requests for them under way, and the time they have; what is not read by then is left out."""

CLAIMANT = "google-meet"
"""Under this name ended sessions are claimed, to be written."""


class MeetFollower:
    """`look` does what is due; call it every few seconds. `detail` says what last went wrong."""

    def __init__(
        self,
        records: MeetRecords,
        jobs: MeetJobs,
        archive: Archive,
        journal: SessionJournal,
        sessions: RunningSessions,
        *,
        interval_ms: int,
        patience_ms: int,
    ) -> None:
        """`interval_ms` is between looks at a running session; `patience_ms` is how long after its
        end Meet's transcript is waited for."""
        self._records = records
        self._jobs = jobs
        self._archive = archive
        self._journal = journal
        self._sessions = sessions
        self._interval_ms = interval_ms
        self._patience_ms = patience_ms
        self.detail = ""

    async def look(self, now_ms: int) -> int:
        """Do what is due now; returns how many sessions were looked at.

        Raises:
            DatabaseUnavailable: nothing is lost; look again.
        """
        await self._jobs.enrol(now_ms)
        due = await self._jobs.lease(now_ms, LEASE_MS, JOBS_AT_ONCE)
        await asyncio.gather(*(self._look_at(job, now_ms) for job in due))
        return len(due)

    async def _look_at(self, job: MeetJob, now_ms: int) -> None:
        try:
            session = await self._archive.session(job.session_id)
        except UnknownSession:
            return
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                outcome = await self._outcome(job, session, now_ms)
            self.detail = ""
        except UnknownSession:
            return
        except (OrchestrationError, TimeoutError) as error:
            outcome = self._failed(job, session, error, now_ms)
        job.check(outcome)
        if outcome.phase != job.phase or outcome.detail:
            log.info(
                "google_meet", session_id=job.session_id, phase=outcome.phase, detail=outcome.detail
            )
        await self._jobs.settle(job.session_id, outcome)

    def _failed(self, job: MeetJob, session: SessionRow, error: Exception, now_ms: int) -> Outcome:
        detail = str(error) or "No answer in time."
        attempts = job.attempts + 1
        if isinstance(error, GoogleMeetError | TimeoutError):
            self.detail = detail
            if job.phase == "awaiting" and now_ms >= self._last_ms(session) + FAILED_PATIENCE_MS:
                return Outcome("given_up", now_ms, attempts, detail=detail)
        due_ms = look_again_ms(now_ms, self._interval_ms, attempts)
        if isinstance(error, GoogleMeetRefused):
            due_ms = now_ms + FAILED_LONGEST_WAIT_MS
        return Outcome(job.phase, due_ms, attempts, detail=detail)

    async def _outcome(self, job: MeetJob, session: SessionRow, now_ms: int) -> Outcome:
        if job.phase == "following" and session.status in TERMINAL:
            return Outcome("awaiting", transcript_due_ms(now_ms, 0))
        if job.phase == "awaiting" and session.zero_unix_ms is None:
            return Outcome("given_up", now_ms, detail="The session has no audio.")
        conference = await self._conference(job, session, now_ms)
        if job.phase == "following":
            return await self._follow(job, conference, now_ms)
        return await self._repair(job, session, conference, now_ms)

    async def _conference(
        self, job: MeetJob, session: SessionRow, now_ms: int
    ) -> Conference | None:
        """The conference that the session has most of its time in common with."""
        start_ms = session.zero_unix_ms or _unix_ms(session.created_at.timestamp())
        end_ms = _unix_ms(session.ended_at.timestamp()) if session.ended_at else now_ms
        held = await self._records.conferences(job.meeting_code, start_ms - EARLIER_MS)
        shared = {
            one: min(end_ms, one.ended_ms or now_ms) - max(start_ms, one.started_ms) for one in held
        }
        best = max(shared, key=lambda one: shared[one], default=None)
        return best if best is not None and shared[best] > 0 else None

    # While the meeting runs

    async def _follow(self, job: MeetJob, conference: Conference | None, now_ms: int) -> Outcome:
        due_ms = now_ms + self._interval_ms
        if conference is None:
            return Outcome("following", due_ms)
        attendees = await self._records.attendees(conference.name)
        known = await self._jobs.known(job.session_id)
        changes = roster_changes(known, attendees, now_ms)
        await self._jobs.link(job.session_id, changes.links)
        if changes.sightings:
            await self._sessions.sighted(job.session_id, changes.sightings)
        return Outcome("following", due_ms, 0, conference.name, conference.space)

    # After it

    async def _repair(
        self, job: MeetJob, session: SessionRow, conference: Conference | None, now_ms: int
    ) -> Outcome:
        if self._sessions.has_actor(job.session_id):
            return Outcome("awaiting", transcript_due_ms(now_ms, 0), job.attempts)
        attendees, entries = [], None
        if conference is not None:
            attendees = await self._records.attendees(conference.name)
            entries = await self._entries(conference)
        if entries is None and now_ms < self._last_ms(session):
            attempts = job.attempts + 1
            return Outcome("awaiting", transcript_due_ms(now_ms, attempts), attempts)
        lines = await self._write(job.session_id, attendees, entries or [], now_ms)
        await self._note_presences(job.session_id, attendees)
        name, space = (conference.name, conference.space) if conference else (None, None)
        if entries is None:
            lacks = "transcript" if conference else "conference of this code for this account"
            return Outcome("given_up", now_ms, 0, name, space, f"Google Meet has no {lacks}.")
        return Outcome("repaired", now_ms, 0, name, space, f"Lines named: {lines}.")

    def _last_ms(self, session: SessionRow) -> int:
        """From when on Meet's transcript is waited for no more."""
        ended = session.ended_at or session.created_at
        return _unix_ms(ended.timestamp()) + self._patience_ms

    async def _entries(self, conference: Conference) -> list[TranscriptEntry] | None:
        """All that Meet wrote down; None while there is nothing, or more is to come."""
        transcripts = await self._records.transcripts(conference.name)
        if conference.ended_ms is None or any(one.state == "STARTED" for one in transcripts):
            return None
        entries = [entry for one in transcripts for entry in await self._records.entries(one.name)]
        return entries or None

    async def _note_presences(self, session_id: str, attendees: Sequence[Attendee]) -> None:
        """Store the stays that can be read in time. The names are stored by now: no stay that is
        missing brings the session here again."""
        presences: dict[str, list[Presence]] = {}
        waiting = iter(attendees[:MAX_PRESENCES])

        async def read() -> None:
            for one in waiting:
                with suppress(GoogleMeetError):
                    presences[one.name] = await self._records.presences(one.name)

        with suppress(TimeoutError):
            async with asyncio.timeout(PRESENCES_TIMEOUT_S), asyncio.TaskGroup() as readers:
                for _ in range(PRESENCES_AT_ONCE):
                    readers.create_task(read())
        missing = min(len(attendees), MAX_PRESENCES) - len(presences)
        if missing:
            log.warning("google_meet_stays_missing", session_id=session_id, attendees=missing)
        await self._jobs.note_presences(session_id, presences)

    async def _write(
        self,
        session_id: str,
        attendees: Sequence[Attendee],
        entries: Sequence[TranscriptEntry],
        now_ms: int,
    ) -> int:
        """Store and tell what the records change; returns how many lines got a speaker."""
        session = await self._archive.session(session_id)
        repair = await self._planned(session, attendees, entries, now_ms)
        await self._jobs.link(session_id, repair.roster.links)
        if repair.is_empty:
            return 0
        # Planned again under the claim: from here on nobody else writes.
        claim = await self._journal.claim(session_id, CLAIMANT)
        repair = await self._planned(claim.session, attendees, entries, now_ms)
        names = {one.participant.participant_id: one.participant.name for one in claim.participants}
        repair = repair.corrected(restored_corrections(claim.corrections, names.get))
        changes = repair.changes(claim.last_event_seq, claim.session.zero_unix_ms or 0)
        await self._journal.commit(session_id, claim.epoch, changes)
        await self._jobs.link(session_id, repair.roster.links)
        return repair.lines

    async def _planned(
        self,
        session: SessionRow,
        attendees: Sequence[Attendee],
        entries: Sequence[TranscriptEntry],
        now_ms: int,
    ) -> Repair:
        session_id = session.spec.session_id
        segments = [one.segment for one in await self._archive.segments(session_id)]
        known = await self._jobs.known(session_id)
        # In a thread: a long meeting takes a second, and others wait in this process.
        return await asyncio.to_thread(
            plan_repair,
            segments,
            known,
            attendees,
            entries,
            zero_unix_ms=session.zero_unix_ms or 0,
            now_ms=now_ms,
        )


def _unix_ms(unix_s: float) -> int:
    return round(unix_s * 1000)
