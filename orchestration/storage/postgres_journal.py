"""The session journal in PostgreSQL."""

from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg

from orchestration.errors import BadAudio, Fenced, JsonValue, OrchestrationError
from orchestration.session.events import DurableEvent
from orchestration.session.inputs import StreamSpec
from orchestration.session.status import OPEN_STATUSES
from orchestration.speakers.repainting import REPAINTABLE_SEGMENTS
from orchestration.storage import journal_statements as sql
from orchestration.storage import recording_statements as recording_sql
from orchestration.storage import speaker_statements as speaker_sql
from orchestration.storage.frame_reader import read_frames, read_frames_after
from orchestration.storage.pool import Connection, Pool, database, unknown_session
from orchestration.storage.ports import (
    ChunkRow,
    Claim,
    JournalFact,
    JournalFrame,
    ParticipantRow,
    QualityRow,
    RecordedFile,
    SessionChanges,
    SpeakerIntervalRow,
    StreamProgress,
    TranslationRow,
)
from orchestration.storage.quality_statements import STORE_CHUNK, STORE_QUALITY
from orchestration.storage.rows import (
    PARTICIPANTS,
    SESSION_COLUMNS,
    STREAMS_OF_SESSION,
    file_from,
    mean_probability,
    multirange,
    optional_text,
    participant_from,
    segment_from,
    session_from,
    stream_from,
    words_json,
)
from orchestration.storage.speaker_rows import note_names, store_corrections, store_correlations
from orchestration.storage.stored_text import encode_json, storable_text
from orchestration.storage.stream_clocks import read_estimates, read_timeline, store_clocks
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
            last_fact = await connection.fetchval(
                "SELECT max(fact) FROM bot_sessions.facts WHERE session_id = $1", session_id
            )
            counts = await connection.fetch(sql.SEGMENT_COUNTS, session_id)
            untranslated = await connection.fetch(sql.UNTRANSLATED, session_id)
            recent = await connection.fetch(sql.RECENT_SEGMENTS, session_id)
            repaintable = await connection.fetch(
                speaker_sql.REPAINTABLE, session_id, REPAINTABLE_SEGMENTS
            )
            corrections = await connection.fetch(speaker_sql.CORRECTIONS, session_id)
            clocks = await read_estimates(connection, session_id)
            timeline = await read_timeline(connection, session_id)
            people = await connection.fetch(PARTICIPANTS, session_id)
            facts_told = await connection.fetchval(
                "SELECT facts_told FROM bot_sessions.sessions WHERE session_id = $1", session_id
            )
        return Claim(
            session=session,
            epoch=session.epoch,
            streams=[stream_from(row) for row in streams],
            last_event_seq=last_event_seq or 0,
            next_fact=0 if last_fact is None else last_fact + 1,
            segment_counts={row["stream"]: row["segments"] for row in counts},
            untranslated=[(segment_from(row), row["target_language"]) for row in untranslated],
            recent_segments=[segment_from(row) for row in recent],
            repaintable=[segment_from(row) for row in repaintable],
            corrections=[row["body"] for row in corrections],
            participants=[participant_from(row) for row in people],
            facts_told=facts_told,
            clocks=clocks,
            timeline=timeline,
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
        self, session_id: str, epoch: int, last_seq_by_stream: Mapping[int, int]
    ) -> None:
        async with database(self._pool) as connection:
            held = await connection.fetchval(
                sql.END_STREAMS,
                session_id,
                epoch,
                list(last_seq_by_stream.keys()),
                list(last_seq_by_stream.values()),
            )
            await _require(connection, held, session_id, epoch)

    async def commit(self, session_id: str, epoch: int, changes: SessionChanges) -> None:
        async with database(self._pool) as connection, connection.transaction():
            row = await connection.fetchrow(sql.HOLD_EPOCH, session_id, epoch)
            await _require(connection, row is not None, session_id, epoch)
            assert row is not None
            await _store_events(connection, session_id, changes.events, row["last_event_seq"] or 0)
            await _store_segments(connection, session_id, changes.segments)
            await _store_translations(connection, session_id, changes.translations)
            await _store_speaker_intervals(connection, session_id, changes.speaker_intervals)
            await store_corrections(connection, session_id, changes.corrections)
            await store_correlations(connection, session_id, changes.correlations)
            await _store_progress(connection, session_id, changes.streams)
            await _store_qualities(connection, session_id, changes.qualities)
            await store_clocks(connection, session_id, changes)
            await _store_chunks(connection, session_id, changes.chunks)
            if any(
                one is not None
                for one in (changes.status, changes.zero_unix_ms, changes.facts_told)
            ):
                await connection.execute(
                    sql.UPDATE_SESSION,
                    session_id,
                    changes.status,
                    optional_text(changes.status_detail),
                    changes.zero_unix_ms,
                    changes.facts_told,
                )
            await _store_participants(connection, session_id, changes.participants)
            if changes.participants or changes.zero_unix_ms is not None:
                await connection.execute(sql.DATE_PARTICIPANTS, session_id)

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

    async def facts(self, session_id: str) -> Sequence[JournalFact]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(
                "SELECT fact, body FROM bot_sessions.facts WHERE session_id = $1 ORDER BY fact",
                session_id,
            )
        return [JournalFact(row["fact"], row["body"]) for row in rows]

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


async def _store_events(
    connection: Connection, session_id: str, events: Sequence[DurableEvent], last_seq: int
) -> None:
    """Store events; those stored before stay as they are, so that a commit may be repeated."""
    if not events:
        return
    first = events[0].seq
    numbers = [event.seq for event in events]
    if first > last_seq + 1 or numbers != list(range(first, first + len(events))):
        facts: dict[str, JsonValue] = {"first_seq": first, "last_stored_seq": last_seq}
        raise OrchestrationError(
            f"The events of session {session_id!r} would have a hole after {last_seq}.", facts
        )
    await connection.execute(
        sql.INSERT_EVENTS,
        session_id,
        numbers,
        [event.type for event in events],
        [event.body for event in events],
    )


async def _store_segments(
    connection: Connection, session_id: str, segments: Sequence[Segment]
) -> None:
    if not segments:
        return
    # One step may revise a segment twice, and a statement can write a row only once.
    latest = sorted(segments, key=lambda segment: segment.revision)
    kept = list({segment.segment_id: segment for segment in latest}.values())
    speakers = [segment.speaker for segment in kept]
    await connection.execute(
        sql.UPSERT_SEGMENTS,
        session_id,
        [segment.segment_id for segment in kept],
        [segment.stream for segment in kept],
        [segment.revision for segment in kept],
        [storable_text(segment.text) for segment in kept],
        [segment.language for segment in kept],
        [segment.start_ns for segment in kept],
        [segment.end_ns for segment in kept],
        # As text, because the driver takes a list within a list for a further dimension.
        [encode_json(words_json(segment.words)) for segment in kept],
        [storable_text(one.speaker_id) if one else None for one in speakers],
        [storable_text(one.name) if one else None for one in speakers],
        [one.confidence if one else None for one in speakers],
        [one.method if one else None for one in speakers],
        [mean_probability(segment.words) for segment in kept],
    )


async def _store_translations(
    connection: Connection, session_id: str, translations: Sequence[TranslationRow]
) -> None:
    if not translations:
        return
    kept = {(row.segment_id, row.translation.language): row for row in translations}.values()
    await connection.execute(
        sql.UPSERT_TRANSLATIONS,
        session_id,
        [row.segment_id for row in kept],
        [row.translation.language for row in kept],
        [row.source_language for row in kept],
        [storable_text(row.translation.text) for row in kept],
        [row.translation.state for row in kept],
        [storable_text(row.engine) for row in kept],
    )


async def _store_participants(
    connection: Connection, session_id: str, participants: Sequence[ParticipantRow]
) -> None:
    if not participants:
        return
    kept: dict[str, ParticipantRow] = {}
    for row in participants:
        participant_id = storable_text(row.participant.participant_id)
        kept[participant_id] = _later(kept.get(participant_id), row)
    people = [row.participant for row in kept.values()]
    await connection.execute(
        sql.UPSERT_PARTICIPANTS,
        session_id,
        list(kept),
        [storable_text(person.name) for person in people],
        [optional_text(person.email) for person in people],
        [person.is_bot for person in people],
        [row.joined_ns for row in kept.values()],
        [row.left_ns for row in kept.values()],
    )
    await connection.execute(sql.COUNT_PARTICIPANTS, session_id)
    names = {one: storable_text(row.participant.name) for one, row in kept.items()}
    await note_names(connection, session_id, names)


def _later(before: ParticipantRow | None, row: ParticipantRow) -> ParticipantRow:
    """Two rows of one step as one, by the rule that UPSERT_PARTICIPANTS has for two steps."""
    if before is None or row.joined_ns is not None:
        return row
    left_ns = before.left_ns if row.left_ns is None else row.left_ns
    return ParticipantRow(row.participant, before.joined_ns, left_ns)


async def _store_speaker_intervals(
    connection: Connection, session_id: str, intervals: Sequence[SpeakerIntervalRow]
) -> None:
    if not intervals:
        return
    kept = {(storable_text(row.participant_id), row.start_ns): row for row in intervals}
    await connection.execute(
        sql.UPSERT_SPEAKER_INTERVALS,
        session_id,
        [participant_id for participant_id, _ in kept],
        [start_ns for _, start_ns in kept],
        [row.end_ns for row in kept.values()],
        [storable_text(row.name) for row in kept.values()],
    )


async def _store_qualities(
    connection: Connection, session_id: str, rows: Sequence[QualityRow]
) -> None:
    if rows:
        await connection.executemany(STORE_QUALITY, [_quality_values(session_id, r) for r in rows])


async def _store_chunks(connection: Connection, session_id: str, rows: Sequence[ChunkRow]) -> None:
    if rows:
        values = [
            (
                session_id,
                row.stream,
                row.start,
                row.end,
                row.outcome,
                storable_text(row.engine),
                storable_text(row.language),
                row.words,
                row.attempts,
                row.latency_ms,
            )
            for row in rows
        ]
        await connection.executemany(STORE_CHUNK, values)


def _quality_values(session_id: str, row: QualityRow) -> tuple[object, ...]:
    heard = row.quality
    return (
        session_id,
        row.stream,
        row.start,
        row.end,
        heard.score,
        heard.rms_dbfs,
        heard.peak_dbfs,
        heard.clipped_ratio,
        heard.snr_db,
        heard.speech_ratio,
        heard.rolloff_hz,
        heard.lufs,
    )


async def _store_progress(
    connection: Connection, session_id: str, streams: Sequence[StreamProgress]
) -> None:
    if not streams:
        return
    kept = {progress.stream: progress for progress in streams}
    await connection.execute(
        sql.UPDATE_STREAMS,
        session_id,
        list(kept),
        [progress.offset_ns for progress in kept.values()],
        [progress.duration for progress in kept.values()],
        [progress.frontier for progress in kept.values()],
        [multirange(progress.transcribed) for progress in kept.values()],
        [multirange(progress.silent) for progress in kept.values()],
    )
    lost = [
        (progress.stream, one)
        for progress in kept.values()
        for one in progress.lost
        if one.start < one.end
    ]
    await connection.execute(
        sql.REPLACE_GAPS,
        session_id,
        list(kept),
        [stream for stream, _ in lost],
        [one.start for _, one in lost],
        [one.end for _, one in lost],
        [one.reason for _, one in lost],
    )
