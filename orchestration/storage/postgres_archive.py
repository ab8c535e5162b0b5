"""The archive in PostgreSQL."""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from orchestration.errors import SessionConflict, SessionEnded
from orchestration.session.events import DurableEvent, TranslatedText
from orchestration.session.status import TERMINAL, SessionStatus
from orchestration.storage import archive_statements as sql
from orchestration.storage.archive_ports import Page, QualitySummary, Snapshot, StoredSegment
from orchestration.storage.cursors import cursor_at, not_given, place_of
from orchestration.storage.frame_reader import read_frames_after
from orchestration.storage.journal_erasing import empty_journal
from orchestration.storage.pool import Connection, database, unknown_session
from orchestration.storage.postgres_alerts import PostgresAlertLog
from orchestration.storage.postgres_data import PostgresData
from orchestration.storage.postgres_erasures import PostgresErasures
from orchestration.storage.postgres_speakers import PostgresSpeakers
from orchestration.storage.postgres_tickets import PostgresTickets
from orchestration.storage.postgres_timing import PostgresTiming
from orchestration.storage.postgres_uploads import PostgresUploads, store_upload
from orchestration.storage.quality_statements import QUALITY_BY_STREAM
from orchestration.storage.recording_statements import (
    EXPIRED_RECORDINGS,
    FILES_OF_STREAM,
    UNFILED_SESSIONS,
)
from orchestration.storage.rows import (
    PARTICIPANTS,
    SESSION_COLUMNS,
    STREAMS_OF_SESSION,
    Row,
    event_from,
    file_from,
    optional_text,
    participant_from,
    segment_from,
    session_from,
    stream_from,
    translated_from,
)
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import (
    JournalFrame,
    ParticipantRow,
    RecordedFile,
    SessionRow,
    SessionSpec,
    StreamRow,
)


class PostgresArchive(
    PostgresData,
    PostgresErasures,
    PostgresAlertLog,
    PostgresTickets,
    PostgresTiming,
    PostgresSpeakers,
    PostgresUploads,
):
    """`DataArchive` over a pool. Text that PostgreSQL cannot hold is stored as U+FFFD."""

    async def create_session(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        async with database(self._pool) as connection, connection.transaction():
            created = await connection.fetchrow(
                sql.CREATE + SESSION_COLUMNS,
                spec.session_id,
                optional_text(spec.meeting_id),
                optional_text(spec.title),
                optional_text(spec.language),
                list(spec.target_languages),
                spec.settings,
                spec.description_hash,
            )
            if created is not None:
                if upload is not None:
                    await store_upload(connection, upload)
                return session_from(created), True
            found = await connection.fetchrow(
                f"SELECT {SESSION_COLUMNS}, idempotency_hash FROM bot_sessions.sessions "
                "WHERE session_id = $1",
                spec.session_id,
            )
        if found is None:
            raise unknown_session(spec.session_id)
        if found["idempotency_hash"] != spec.description_hash:
            raise SessionConflict(
                f"Session {spec.session_id!r} exists with another description: choose another "
                "session_id, or leave it out.",
                {"session_id": spec.session_id},
            )
        return session_from(found), False

    async def session(self, session_id: str) -> SessionRow:
        async with database(self._pool) as connection:
            return await _session(connection, session_id)

    async def new_connection_id(self, session_id: str) -> str:
        async with database(self._pool) as connection:
            number: int | None = await connection.fetchval(sql.NEW_CONNECTION, session_id)
        if number is None:
            raise unknown_session(session_id)
        return f"{number:016x}"

    async def sessions(
        self, statuses: Sequence[SessionStatus] | None, limit: int, cursor: str | None
    ) -> Page[SessionRow]:
        created_at, session_id = (None, None) if cursor is None else _place_of(cursor)
        async with database(self._pool) as connection:
            rows = await connection.fetch(
                sql.SESSIONS_PAGE, statuses, created_at, session_id, limit + 1
            )
        items = [session_from(row) for row in rows[:limit]]
        if len(rows) <= limit or not items:
            return Page(items, None)
        last = items[-1]
        return Page(items, cursor_at(last.created_at.isoformat(), last.spec.session_id))

    async def configure_session(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        async with database(self._pool) as connection, connection.transaction():
            await connection.execute(sql.LOCK_TO_CONFIGURE, session_id)
            row = await _session(connection, session_id)
            if row.status in TERMINAL:
                raise SessionEnded("The session has ended.", {"session_id": session_id})
            spec = change(row.spec)
            targets = list(spec.target_languages)
            await connection.execute(
                sql.CONFIGURE, session_id, spec.settings, spec.language, targets
            )
            return await _session(connection, session_id)

    async def snapshot(self, session_id: str, limit: int) -> Snapshot:
        async with self._reads.view() as connection:
            session = await _session(connection, session_id)
            seq = await connection.fetchval(
                "SELECT max(seq) FROM bot_sessions.events WHERE session_id = $1", session_id
            )
            segments = await _segments(connection, session_id, limit + 1)
        truncated = len(segments) > limit
        return Snapshot(session, seq or 0, segments[1:] if truncated else segments, truncated)

    async def segments(self, session_id: str) -> Sequence[StoredSegment]:
        async with self._reads.view() as connection:
            await _session(connection, session_id)
            return await _segments(connection, session_id, None)

    async def events(self, session_id: str, after: int, limit: int) -> Sequence[DurableEvent]:
        return [
            event_from(row)
            for row in await self._rows(session_id, sql.EVENTS_AFTER, session_id, after, limit)
        ]

    async def streams(self, session_id: str) -> Sequence[StreamRow]:
        return [
            stream_from(row) for row in await self._rows(session_id, STREAMS_OF_SESSION, session_id)
        ]

    async def participants(self, session_id: str) -> Sequence[ParticipantRow]:
        return [
            participant_from(row) for row in await self._rows(session_id, PARTICIPANTS, session_id)
        ]

    async def qualities(self, session_id: str) -> Sequence[QualitySummary]:
        rows = await self._rows(session_id, QUALITY_BY_STREAM, session_id)
        return [QualitySummary(**dict(row)) for row in rows]

    def recording(
        self, session_id: str, stream: int, after_seq: int = -1
    ) -> AsyncIterator[JournalFrame]:
        return read_frames_after(self._pool, session_id, stream, after_seq)

    async def recorded_files(self, session_id: str, stream: int) -> Sequence[RecordedFile]:
        rows = await self._rows(session_id, FILES_OF_STREAM, session_id, stream)
        return [file_from(row) for row in rows]

    async def expired_recordings(
        self, ended_before: datetime, look_at: int, cursor: str | None
    ) -> Page[str]:
        after = (None, None) if cursor is None else _place_of(cursor)
        async with self._reads.connection() as connection:
            rows = await connection.fetch(EXPIRED_RECORDINGS, ended_before, *after, look_at)
        found = [row["session_id"] for row in rows if row["has_audio"]]
        if len(rows) < look_at:
            return Page(found, None)
        return Page(found, cursor_at(rows[-1]["end_time"].isoformat(), rows[-1]["session_id"]))

    async def unfiled_sessions(
        self, ended_before: datetime, look_at: int, cursor: str | None
    ) -> Page[str]:
        (after,) = ("",) if cursor is None else place_of(cursor, str)
        async with self._reads.connection() as connection:
            rows = await connection.fetch(UNFILED_SESSIONS, ended_before, after, look_at)
        found = [row["session_id"] for row in rows if row["is_unfiled"]]
        return Page(found, cursor_at(rows[-1]["session_id"]) if len(rows) == look_at else None)

    async def forget_recording(self, session_id: str) -> None:
        await empty_journal(self._pool, session_id)
        async with database(self._pool) as connection, connection.transaction():
            for table in ("audio_files", "audio_journal"):
                await connection.execute(
                    f"DELETE FROM bot_sessions.{table} WHERE session_id = $1", session_id
                )

    async def now(self) -> datetime:
        """The database's clock, by which it is stored when sessions began and ended."""
        async with database(self._pool) as connection:
            moment: datetime = await connection.fetchval("SELECT now()")
        return moment

    async def ping(self) -> int:
        started_s = time.monotonic()
        async with database(self._pool) as connection:
            await connection.execute("SELECT 1")
        return round((time.monotonic() - started_s) * 1000)

    async def _rows(self, session_id: str, query: str, *arguments: object) -> Sequence[Row]:
        """Rows of a session that exists."""
        async with database(self._pool) as connection:
            rows = await connection.fetch(query, *arguments)
            if not rows:
                await _session(connection, session_id)
        return rows


async def _session(connection: Connection, session_id: str) -> SessionRow:
    row = await connection.fetchrow(
        f"SELECT {SESSION_COLUMNS} FROM bot_sessions.sessions WHERE session_id = $1",
        session_id,
    )
    if row is None:
        raise unknown_session(session_id)
    return session_from(row)


async def _segments(
    connection: Connection, session_id: str, limit: int | None
) -> list[StoredSegment]:
    """The last segments in order of start, with their translations."""
    rows = await connection.fetch(sql.LAST_SEGMENTS, session_id, limit)
    if not rows:
        return []
    rows.reverse()
    translations: defaultdict[str, list[TranslatedText]] = defaultdict(list)
    for row in await connection.fetch(sql.TRANSLATIONS_FROM, session_id, rows[0]["start_ns"]):
        translations[row["source_transcript_id"]].append(translated_from(row))
    return [
        StoredSegment(segment_from(row), tuple(translations[row["transcript_id"]])) for row in rows
    ]


def _place_of(cursor: str) -> tuple[datetime, str]:
    created_at, session_id = place_of(cursor, str, str)
    try:
        moment = datetime.fromisoformat(created_at)
    except ValueError as error:
        raise not_given() from error
    if moment.tzinfo is None:
        raise not_given()
    return moment, session_id
