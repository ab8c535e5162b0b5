"""A session with a row in each table that the service writes."""

from dataclasses import replace

from orchestration.services.ports import AudioQuality
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import ChunkRow, JournalFact, QualityRow, SampleRange, SessionSpec
from tests.storage_values import (
    clock_change,
    event,
    frame,
    interval,
    losses,
    participant,
    progress,
    segment,
    stream_clock,
    stream_spec,
    timeline_row,
    translation,
)

HEARD = AudioQuality(-20.0, -3.0, 0.0, 25.0, 0.75, 4000, -21.0, 1.0)


async def create(archive: PostgresArchive, session_id: str) -> None:
    await archive.create_session(SessionSpec(session_id))


async def fill(archive: PostgresArchive, journal: PostgresJournal, session_id: str) -> None:
    """Give a session at least one row in each table that the service writes."""
    await create(archive, session_id)
    await journal.claim(session_id, "actor")
    await journal.open_streams(session_id, 1, [stream_spec(0)])
    await journal.append(session_id, 1, [frame(0), frame(1)], [JournalFact(0, {})])
    changes = SessionChanges(
        events=[event(1), event(2)],
        segments=[segment(1), segment(2)],
        translations=[translation(1), translation(1, "es", "hola"), translation(2)],
        participants=[participant()],
        speaker_intervals=[interval(0, 1)],
        streams=[progress(1000)],
        losses=[losses(SampleRange(1, 2, "capture_skipped"))],
        qualities=[
            QualityRow(0, 0, 400, HEARD),
            QualityRow(0, 400, 900, replace(HEARD, score=0.5)),
        ],
        clocks=[stream_clock(80_000)],
        clock_changes=[clock_change(70_000)],
        timeline=[timeline_row(60_000, 10**9)],
        chunks=[ChunkRow(0, 0, 400, "heard", "whisper", "en", 2, 1, 120)],
        status="active",
    )
    await journal.commit(session_id, 1, changes)
