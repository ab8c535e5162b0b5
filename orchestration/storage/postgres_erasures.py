"""Erasing in PostgreSQL."""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from orchestration.session.status import OPEN_STATUSES
from orchestration.storage import erasure_statements as sql
from orchestration.storage.erasure_ports import (
    ERASED_NAME,
    ErasureKind,
    ErasureReceipt,
    PeoplePage,
    Person,
    PersonInSession,
    RemovedFiles,
)
from orchestration.storage.journal_erasing import empty_journal
from orchestration.storage.journal_statements import LOCK_FOR_CLAIM
from orchestration.storage.pool import Connection, LongReads, Pool, database, unknown_session
from orchestration.storage.rows import Row, optional_text

TABLES_OF_SESSION = (
    "translations",
    "correlations",
    "transcripts",
    "audio_files",
    "audio_journal",
    "gaps",
    "audio_quality",
    "chunks",
    "timing_corrections",
    "stream_clocks",
    "clock_changes",
    "timeline_pieces",
    "uploads",
    "streams",
    "facts",
    "events",
    "participants",
    "participant_names",
    "speaker_intervals",
    "speaker_corrections",
    "google_meet_conferences",
    "sessions",
)
"""Every table with a session's rows; those that refer to others come first."""


class PostgresErasures:
    """The erasing of `ErasureArchive`, over a pool."""

    _pool: Pool
    _reads: LongReads

    async def begin_erasure(self, kind: ErasureKind) -> int:
        async with database(self._pool) as connection:
            erasure_id: int = await connection.fetchval(sql.BEGIN_ERASURE, kind)
        return erasure_id

    async def erase_session(self, erasure_id: int, session_id: str, files: RemovedFiles) -> None:
        await self._empty_journal(erasure_id, session_id, None)
        async with database(self._pool) as connection, connection.transaction():
            removed = await _remove_rows(connection, session_id)
            await add_to_receipt(connection, erasure_id, 1, removed, files)

    async def erase_person(
        self, erasure_id: int, found: PersonInSession, audio: Sequence[int], files: RemovedFiles
    ) -> None:
        session_id = found.session_id
        await self._empty_journal(erasure_id, session_id, audio)
        async with database(self._pool) as connection, connection.transaction():
            # Locked first, as a claim does: who is writing still has the old names, and is waited
            # for.
            if await connection.fetchval(LOCK_FOR_CLAIM, session_id) is None:
                return
            await connection.execute(sql.SHUT_OUT, session_id)
            changed = await _overwrite(connection, found)
            for table, statement in (
                ("audio_files", sql.AUDIO_FILES),
                ("audio_journal", sql.AUDIO_JOURNAL),
            ):
                tag = await connection.execute(statement, session_id, list(audio))
                changed[table] += rows_of(tag)
            await add_to_receipt(connection, erasure_id, 1, changed, files)

    async def _empty_journal(
        self, erasure_id: int, session_id: str, streams: Sequence[int] | None
    ) -> None:
        async def note(connection: Connection, removed: int) -> None:
            counts = {"audio_journal": removed}
            await add_to_receipt(connection, erasure_id, 0, counts, RemovedFiles())

        await empty_journal(self._pool, session_id, streams, note)

    async def add_files(self, erasure_id: int, files: RemovedFiles) -> None:
        async with database(self._pool) as connection:
            await add_to_receipt(connection, erasure_id, 0, {}, files)

    async def person_in(self, person: Person, after: str, limit: int) -> PeoplePage:
        async with self._reads.connection() as connection:
            sessions = await connection.fetch(sql.SESSIONS_AFTER, after, limit)
            statuses = {row["session_id"]: row["status"] for row in sessions}
            rows = await connection.fetch(
                sql.PERSON_IN_SESSIONS,
                list(statuses),
                optional_text(person.participant_id),
                optional_text(person.email),
                optional_text(person.name),
            )
        found = [
            PersonInSession(
                row["session_id"],
                statuses[row["session_id"]] in OPEN_STATUSES,
                tuple(row["participant_ids"]),
                tuple(row["own_streams"]),
            )
            for row in rows
        ]
        return PeoplePage(found, max(statuses) if len(statuses) == limit else None)

    async def expired_sessions(self, ended_before: datetime, limit: int) -> Sequence[str]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(sql.EXPIRED_SESSIONS, ended_before, limit)
        return [row["session_id"] for row in rows]

    async def receipt(self, erasure_id: int) -> ErasureReceipt:
        async with database(self._pool) as connection:
            row = await connection.fetchrow(sql.RECEIPT, erasure_id)
        assert row is not None, "receipts stay"
        return _receipt_from(row)

    async def receipts(self, limit: int, before: int | None) -> Sequence[ErasureReceipt]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(sql.RECEIPTS, limit, before)
        return [_receipt_from(row) for row in rows]


async def _remove_rows(connection: Connection, session_id: str) -> Mapping[str, int]:
    """Every row of a session, within the caller's transaction; returns counts by table."""
    # Locked first: an actor that still writes is waited for once, then refused.
    if await connection.fetchval(LOCK_FOR_CLAIM, session_id) is None:
        raise unknown_session(session_id)
    removed = {}
    for table in TABLES_OF_SESSION:
        tag = await connection.execute(
            f"DELETE FROM bot_sessions.{table} WHERE session_id = $1", session_id
        )
        removed[table] = rows_of(tag)
    return removed


async def _overwrite(connection: Connection, found: PersonInSession) -> Counter[str]:
    """Put nobody in a person's place; returns the number of rows changed by table."""
    session_id, ids = found.session_id, list(found.participant_ids)
    # New for each erasure: nothing that is kept leads from one to another.
    replaced = [f"erased-{secrets.token_hex(6)}" for _ in ids]
    lines = [
        row["transcript_id"]
        for row in await connection.fetch(
            sql.LINES_OF_PERSON, session_id, ids, list(found.own_streams)
        )
    ]
    changed: Counter[str] = Counter()
    for table, statement in (
        ("translations", sql.TRANSLATIONS),
        ("transcripts", sql.LINES),
        ("events", sql.TRANSLATION_EVENTS),
    ):
        changed[table] += rows_of(await connection.execute(statement, session_id, lines))
    changed["google_meet_conferences"] += rows_of(
        await connection.execute(sql.MEETINGS, session_id)
    )
    changed["correlations"] += rows_of(
        await connection.execute(sql.EVIDENCE, session_id, ids, lines)
    )
    names = (session_id, ids, replaced, ERASED_NAME)
    await connection.execute(sql.LINE_SPEAKERS, *names)
    segment_events = await connection.execute(sql.SEGMENT_EVENTS, *names, lines)
    changed["events"] += rows_of(segment_events)
    for table, statement in (
        ("events", sql.PARTICIPANT_EVENTS),
        ("events", sql.SPEAKER_EVENTS),
        ("speaker_corrections", sql.CORRECTIONS),
        ("facts", sql.FACTS),
        ("correlations", sql.CORRELATIONS),
        ("speaker_intervals", sql.SPEAKER_INTERVALS),
        ("streams", sql.STREAMS),
        ("participant_names", sql.PARTICIPANT_NAMES),
        ("participants", sql.PARTICIPANTS),
    ):
        changed[table] += rows_of(await connection.execute(statement, *names))
    return changed


async def add_to_receipt(
    connection: Connection,
    erasure_id: int,
    sessions: int,
    rows: Mapping[str, int],
    files: RemovedFiles,
) -> None:
    """Add to a receipt within the caller's transaction."""
    await connection.execute(
        sql.ADD_TO_ERASURE, erasure_id, sessions, files.files, files.bytes, dict(rows)
    )


def rows_of(tag: str) -> int:
    """The number of rows in a command's tag, as in `DELETE 3`."""
    return int(tag.rpartition(" ")[2])


def _receipt_from(row: Row) -> ErasureReceipt:
    return ErasureReceipt(
        erasure_id=row["erasure_id"],
        kind=row["kind"],
        sessions=row["sessions"],
        rows=row["rows_by_table"],
        files=row["files"],
        bytes=row["bytes"],
        erased_at=row["erased_at"],
    )
