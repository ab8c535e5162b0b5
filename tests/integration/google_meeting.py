"""A session that is a Google Meet meeting, with a double of Google's side of it."""

from collections.abc import Sequence
from pathlib import Path

from orchestration.errors import Unavailable
from orchestration.json_types import JsonObject
from orchestration.meet.follower import MeetFollower
from orchestration.metrics.meter import Tally
from orchestration.services.google_credentials import GoogleCredentials
from orchestration.services.google_meet import GoogleMeet
from orchestration.session.inputs import ParticipantSighting
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.runner import SessionRunner
from orchestration.session.values import SessionValues
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.postgres_meet import PostgresMeet
from orchestration.storage.recordings import Recordings
from orchestration.storage.values import ParticipantRow, SessionSpec
from orchestration.transcript.segments import Segment
from tests.doubles.google_meet_server import GoogleMeetDouble
from tests.doubles.scripted_engines import ScriptedEngines

CODE = "abc-mnop-xyz"
CALL = "conferenceRecords/call-1"
ANA, BEN = f"{CALL}/participants/1", f"{CALL}/participants/2"
START_MS = 1_790_000_000_000
START, SECOND_4, END = "2026-09-21T14:13:20Z", "2026-09-21T14:13:24Z", "2026-09-21T15:13:20Z"
MINUTE_MS = 60_000
INTERVAL_MS = 30_000
PATIENCE_MS = 3_600_000


class Actors:
    """The sessions that have an actor here."""

    def __init__(self) -> None:
        self.runners: dict[str, SessionRunner] = {}

    def has_actor(self, session_id: str) -> bool:
        return session_id in self.runners

    async def sighted(self, session_id: str, sightings: Sequence[ParticipantSighting]) -> None:
        if session_id not in self.runners:
            raise Unavailable("no actor")
        self.runners[session_id].sighted(sightings)


class Meeting:
    """One session that is a Google Meet meeting, with all that looks after it."""

    def __init__(self, pool: Pool, google: GoogleMeetDouble, recordings: Path) -> None:
        self.pool = pool
        self.google = google
        self.archive = PostgresArchive(pool)
        self.journal = PostgresJournal(pool)
        self.jobs = PostgresMeet(pool)
        self.actors = Actors()
        self._recordings = recordings
        credentials = GoogleCredentials(google.service_account, subject=None, timeout_s=5)
        self.client = GoogleMeet(google.url, credentials, timeout_s=5, tries=1)
        self.follower = self.another_follower()

    def another_follower(self) -> MeetFollower:
        """As after the death of the process that looked, or in another."""
        return MeetFollower(
            self.client,
            self.jobs,
            self.archive,
            self.journal,
            self.actors,
            interval_ms=INTERVAL_MS,
            patience_ms=PATIENCE_MS,
        )

    async def begin(self, *segments: Segment, people: Sequence[ParticipantRow] = ()) -> None:
        spec = SessionSpec("s", meeting_id=f"https://meet.google.com/{CODE}")
        await self.archive.create_session(spec)
        claim = await self.journal.claim("s", "actor")
        changes = SessionChanges(
            segments=segments, participants=people, status="active", zero_unix_ms=START_MS
        )
        await self.journal.commit("s", claim.epoch, changes)

    async def run(self) -> SessionRunner:
        """Give the session an actor's inside."""
        values = SessionValues(recordings_dir=str(self._recordings))
        recordings = Recordings(self.archive, ChunkFileStore(self._recordings))
        runner = SessionRunner(
            await self.journal.claim("s", "actor"),
            self.journal,
            ScriptedEngines(),
            values,
            RecordingReader("s", recordings),
            _ignore,
            Tally(),
        )
        await runner.start()
        self.actors.runners["s"] = runner
        return runner

    async def end(self) -> None:
        """The session completes, an hour after its start."""
        claim = await self.journal.claim("s", "actor")
        await self.journal.commit("s", claim.epoch, SessionChanges(status="completed"))
        await self.pool.execute(
            "UPDATE bot_sessions.sessions SET end_time = to_timestamp($1)",
            (START_MS + 3_600_000) / 1000,
        )

    async def job(self) -> tuple[str, int, int, str]:
        """Phase, when it is due after the start, looks in vain, and the last detail."""
        row = await self.pool.fetchrow(
            "SELECT phase, round(extract(epoch FROM due_at) * 1000)::bigint, attempts, detail "
            "FROM bot_sessions.google_meet_conferences"
        )
        assert row is not None
        return row[0], row[1] - START_MS, row[2], row[3]

    async def events(self) -> list[JsonObject]:
        return [event.message() for event in await self.archive.events("s", 0, 100)]

    def write_down(self, *entries: tuple[str, str, str, str]) -> None:
        """Meet's transcript is there: (attendee, text, start, end)."""
        records = self.google.records
        records[f"{CALL}/transcripts"] = [
            {"name": f"{CALL}/transcripts/t", "state": "FILE_GENERATED"}
        ]
        records[f"{CALL}/transcripts/t/entries"] = [
            {"participant": who, "text": text, "startTime": start, "endTime": end}
            for who, text, start, end in entries
        ]


async def _ignore() -> None:
    return
