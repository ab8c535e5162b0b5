"""The session journal in PostgreSQL."""

from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg

from orchestration.errors import BadAudio, Fenced
from orchestration.json_types import JsonValue
from orchestration.session.inputs import StreamSpec
from orchestration.session.status import OPEN_STATUSES
from orchestration.speakers.repainting import REPAINTABLE_SEGMENTS
from orchestration.storage import journal_statements as sql
from orchestration.storage import recording_statements as recording_sql
from orchestration.storage import speaker_statements as speaker_sql
from orchestration.storage.fact_reader import read_facts
from orchestration.storage.frame_reader import read_frames, read_frames_after
from orchestration.storage.journal_ports import Claim, SessionChanges
from orchestration.storage.pool import Connection, Pool, database, unknown_session
from orchestration.storage.postgres_uploads import IS_OF_AN_UPLOAD
from orchestration.storage.rows import (
    PARTICIPANTS,
    SESSION_COLUMNS,
    STREAMS_OF_SESSION,
    file_from,
    optional_text,
    participant_from,
    segment_from,
    session_from,
    stream_from,
)
from orchestration.storage.speaker_rows import names_of_labels
from orchestration.storage.stored_changes import store_changes
from orchestration.storage.stored_text import storable_text
from orchestration.storage.stream_clocks import read_estimates, read_timeline
from orchestration.storage.told_languages import may_be_untold
from orchestration.storage.values import (
    JournalFact,
    JournalFrame,
    RecordedFile,
    SessionSpec,
)
from orchestration.transcript.segments import Segment


class PostgresJournal:
    """`SessionJournal` over a pool. Text that PostgreSQL cannot hold is stored as U+FFFD."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, session_id: str, actor_name: str) -> Claim:
        async with database(self._pool) as connection, connection.transaction():
            if await connection.fetchval(sql.LOCK_FOR_CLAIM, session_id) is None:
                raise unknown_session(session_id)
            # Nobody writes now, so these reads see one state though each is its own snapshot.
            row = await connection.fetchrow(
                sql.RAISE_EPOCH + SESSION_COLUMNS, session_id, actor_name
            )
            assert row is not None
            session = session_from(row)
            streams = await connection.fetch(STREAMS_OF_SESSION, session_id)
            last_event_seq = await connection.fetchval(
                "SELECT max(seq) FROM bot_sessions.events WHERE session_id = $1", session_id
            )
            newest_fact = await connection.fetchval(
                "SELECT max(fact) FROM bot_sessions.facts WHERE session_id = $1", session_id
            )
            counts = await connection.fetch(sql.SEGMENT_COUNTS, session_id)
            recent = await connection.fetch(sql.RECENT_SEGMENTS, session_id)
            newest = await connection.fetch(
                speaker_sql.REPAINTABLE, session_id, REPAINTABLE_SEGMENTS
            )
            repaintable = [segment_from(row) for row in newest]
            voices = await names_of_labels(connection, session_id, repaintable)
            corrections = await connection.fetch(speaker_sql.CORRECTIONS, session_id)
            clocks = await read_estimates(connection, session_id)
            timeline = await read_timeline(connection, session_id)
            people = await connection.fetch(PARTICIPANTS, session_id)
            facts = await connection.fetchrow(sql.FACTS_OF_SESSION, session_id)
            assert facts is not None
            languages = await connection.fetchval(sql.LAST_LANGUAGES, session_id)
            is_upload = await connection.fetchval(IS_OF_AN_UPLOAD, session_id)
        return Claim(
            session=session,
            epoch=session.epoch,
            streams=[stream_from(row) for row in streams],
            last_event_seq=last_event_seq or 0,
            next_fact=0 if newest_fact is None else newest_fact + 1,
            segment_counts={row["stream"]: row["segments"] for row in counts},
            recent_segments=[segment_from(row) for row in recent],
            repaintable=repaintable,
            voices=voices,
            corrections=[row["body"] for row in corrections],
            participants=[participant_from(row) for row in people],
            last_fact=facts["last_fact"],
            facts_told=facts["facts_told"],
            clocks=clocks,
            timeline=timeline,
            is_upload=is_upload,
            has_untold_languages=session.epoch > 1
            and may_be_untold(session.spec, languages, row["idempotency_hash"]),
        )

    async def claimed_by(self, actor_name: str) -> str | None:
        async with database(self._pool) as connection:
            session_id: str | None = await connection.fetchval(
                sql.CLAIMED_BY, actor_name, OPEN_STATUSES
            )
        return session_id

    async def open_streams(self, session_id: str, epoch: int, specs: Sequence[StreamSpec]) -> None:
        people = [spec.participant for spec in specs]
        async with database(self._pool) as connection:
            held = await connection.fetchval(
                sql.OPEN_STREAMS,
                session_id,
                epoch,
                [spec.stream for spec in specs],
                [spec.format.encoding for spec in specs],
                [spec.format.sample_rate for spec in specs],
                [spec.format.channels for spec in specs],
                [storable_text(one.participant_id) if one else None for one in people],
                [storable_text(one.name) if one else None for one in people],
                [optional_text(one.email) if one else None for one in people],
                [one.is_bot if one else None for one in people],
            )
            await _require(connection, held, session_id, epoch)

    async def append(
        self,
        session_id: str,
        epoch: int,
        frames: Sequence[JournalFrame],
        facts: Sequence[JournalFact],
    ) -> None:
        async with database(self._pool) as connection:
            try:
                held = await connection.fetchval(
                    sql.APPEND,
                    session_id,
                    epoch,
                    [frame.stream for frame in frames],
                    [frame.seq for frame in frames],
                    [frame.first_sample for frame in frames],
                    [frame.sample_count for frame in frames],
                    [frame.content_hash for frame in frames],
                    [frame.payload for frame in frames],
                    [frame.received_ns for frame in frames],
                    [fact.number for fact in facts],
                    [fact.body for fact in facts],
                )
            except asyncpg.ForeignKeyViolationError as error:
                streams: list[JsonValue] = [*sorted({frame.stream for frame in frames})]
                raise BadAudio(
                    f"Session {session_id!r} has no stream open for one of these frames.",
                    {"streams": streams},
                ) from error
            await _require(connection, held, session_id, epoch)

    async def end_streams(
        self, session_id: str, epoch: int, last_seq_by_stream: Mapping[int, int], last_fact: int
    ) -> None:
        async with database(self._pool) as connection:
            held = await connection.fetchval(
                sql.END_STREAMS,
                session_id,
                epoch,
                sorted(last_seq_by_stream),
                [last_seq_by_stream[stream] for stream in sorted(last_seq_by_stream)],
                last_fact,
            )
            await _require(connection, held, session_id, epoch)

    async def commit(self, session_id: str, epoch: int, changes: SessionChanges) -> None:
        async with database(self._pool) as connection, connection.transaction():
            row = await connection.fetchrow(sql.HOLD_EPOCH, session_id, epoch)
            await _require(connection, row is not None, session_id, epoch)
            assert row is not None
            await store_changes(connection, session_id, changes, row["last_event_seq"] or 0)

    def frames_from(self, session_id: str, stream: int, sample: int) -> AsyncIterator[JournalFrame]:
        return read_frames(self._pool, session_id, stream, after_sample=sample)

    def frames_after(self, session_id: str, stream: int, seq: int) -> AsyncIterator[JournalFrame]:
        return read_frames_after(self._pool, session_id, stream, seq)

    async def last_files(self, session_id: str) -> Mapping[int, RecordedFile]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(recording_sql.LAST_FILES, session_id)
        return {row["stream"]: file_from(row) for row in rows}

    async def add_file(self, session_id: str, epoch: int, file: RecordedFile) -> None:
        async with database(self._pool) as connection:
            held = await connection.fetchval(
                recording_sql.ADD_FILE,
                session_id,
                epoch,
                file.stream,
                file.first_seq,
                file.last_seq,
                file.first_sample,
                file.end_sample,
                file.sample_rate,
                file.channels,
                file.size_bytes,
                file.sha256,
                f"{session_id}/{file.name}",
                file.name,
            )
            await _require(connection, held, session_id, epoch)

    async def shrink(
        self,
        session_id: str,
        epoch: int,
        stream: int,
        *,
        lead_samples: int,
        keep_frames: int,
        max_frames: int,
        only_filed: bool,
    ) -> int:
        async with database(self._pool) as connection:
            row = await connection.fetchrow(
                recording_sql.SHRINK,
                session_id,
                epoch,
                stream,
                lead_samples,
                keep_frames,
                max_frames,
                only_filed,
            )
            assert row is not None
            await _require(connection, row["held"], session_id, epoch)
        gone: int = row["gone"]
        return gone

    async def final_segments(self, session_id: str) -> Sequence[Segment]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(speaker_sql.FINAL_SEGMENTS, session_id)
        return [segment_from(row) for row in rows]

    async def untranslated(
        self, session_id: str, after: tuple[int, int, str, str] | None, limit: int
    ) -> Sequence[tuple[Segment, str]]:
        place = (-1, -1, "", "") if after is None else after
        async with database(self._pool) as connection:
            rows = await connection.fetch(sql.UNTRANSLATED, session_id, *place, limit)
        return [(segment_from(row), row["target_language"]) for row in rows]

    async def segments_of(
        self,
        session_id: str,
        speaker_ids: Sequence[str],
        after: tuple[int, str] | None,
        limit: int,
    ) -> Sequence[Segment]:
        ids = [storable_text(one) for one in speaker_ids]
        start_ns, segment_id = after or (-1, "")
        async with database(self._pool) as connection:
            rows = await connection.fetch(
                speaker_sql.SEGMENTS_OF, session_id, ids, start_ns, segment_id, limit
            )
        return [segment_from(row) for row in rows]

    async def description(self, session_id: str) -> SessionSpec:
        async with database(self._pool) as connection:
            row = await connection.fetchrow(
                f"SELECT {SESSION_COLUMNS} FROM bot_sessions.sessions WHERE session_id = $1",
                session_id,
            )
        if row is None:
            raise unknown_session(session_id)
        return session_from(row).spec

    def facts(self, session_id: str) -> AsyncIterator[JournalFact]:
        return read_facts(self._pool, session_id)

    async def recent_hashes(self, session_id: str, limit: int) -> Mapping[tuple[int, int], bytes]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(sql.RECENT_HASHES, session_id, limit)
        return {(row["stream"], row["seq"]): row["content_hash"] for row in rows}


async def _require(connection: Connection, held: object, session_id: str, epoch: int) -> None:
    """Say why a guarded statement did nothing."""
    if held:
        return
    current = await connection.fetchval(
        "SELECT epoch FROM bot_sessions.sessions WHERE session_id = $1", session_id
    )
    if current is None:
        raise unknown_session(session_id)
    raise Fenced(
        f"Session {session_id!r} has been taken over: it is at epoch {current}, this is {epoch}.",
        {"session_id": session_id, "epoch": epoch, "current_epoch": current},
    )
