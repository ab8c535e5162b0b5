"""The changes of one step as rows: what `PostgresJournal.commit` writes in its transaction."""

from collections.abc import Sequence

from orchestration.errors import OrchestrationError
from orchestration.json_types import JsonValue
from orchestration.session.events import DurableEvent
from orchestration.storage import journal_statements as sql
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Connection
from orchestration.storage.quality_statements import STORE_CHUNK, STORE_QUALITY
from orchestration.storage.rows import (
    mean_probability,
    optional_text,
    words_json,
)
from orchestration.storage.speaker_rows import note_names, store_corrections, store_correlations
from orchestration.storage.stored_text import encode_json, storable_text
from orchestration.storage.stream_clocks import store_clocks
from orchestration.storage.values import (
    ChunkRow,
    LossChange,
    ParticipantRow,
    QualityRow,
    SpeakerIntervalRow,
    StreamProgress,
    TranslationRow,
)
from orchestration.transcript.segments import Segment


async def store_changes(
    connection: Connection, session_id: str, changes: SessionChanges, last_event_seq: int
) -> None:
    """Store all of it, within the caller's transaction; `last_event_seq` is stored already."""
    await _store_events(connection, session_id, changes.events, last_event_seq)
    await _store_segments(connection, session_id, changes.segments)
    await _store_translations(connection, session_id, changes.translations)
    await _store_speaker_intervals(connection, session_id, changes.speaker_intervals)
    await store_corrections(connection, session_id, changes.corrections)
    await store_correlations(connection, session_id, changes.correlations)
    await _store_progress(connection, session_id, changes.streams)
    await _store_losses(connection, session_id, changes.losses)
    await _store_qualities(connection, session_id, changes.qualities)
    await store_clocks(connection, session_id, changes)
    await _store_chunks(connection, session_id, changes.chunks)
    if any(one is not None for one in (changes.status, changes.zero_unix_ms, changes.facts_told)):
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
        [progress.transcribed for progress in kept.values()],
        [progress.silent for progress in kept.values()],
        [progress.transcribed_to_frontier for progress in kept.values()],
    )


async def _store_losses(
    connection: Connection, session_id: str, losses: Sequence[LossChange]
) -> None:
    if not losses:
        return
    lost = [(change.stream, one) for change in losses for one in change.lost]
    await connection.execute(
        sql.REPLACE_GAPS,
        session_id,
        [change.stream for change in losses],
        [change.start for change in losses],
        [change.end for change in losses],
        [stream for stream, _ in lost],
        [one.start for _, one in lost],
        [one.end for _, one in lost],
        [one.reason for _, one in lost],
    )
