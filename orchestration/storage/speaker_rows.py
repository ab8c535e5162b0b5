"""What a session stores of who spoke: corrections, and whose the voices are."""

from collections.abc import Sequence

from orchestration.session.events import seconds
from orchestration.storage import speaker_statements as sql
from orchestration.storage.pool import Connection
from orchestration.storage.ports import CorrectionRow, CorrelationRow
from orchestration.storage.stored_text import storable_text


async def store_corrections(
    connection: Connection, session_id: str, rows: Sequence[CorrectionRow]
) -> None:
    """Store corrections; those stored before stay, so that a commit may be repeated."""
    if rows:
        await connection.execute(
            sql.INSERT_CORRECTIONS,
            session_id,
            [row.number for row in rows],
            [row.body for row in rows],
        )


async def store_correlations(
    connection: Connection, session_id: str, rows: Sequence[CorrelationRow]
) -> None:
    """Store whose each voice is; the newest word on a voice stands."""
    if not rows:
        return
    kept = list({storable_text(row.source): row for row in rows}.values())
    await connection.execute(
        sql.UPSERT_CORRELATIONS,
        session_id,
        [storable_text(row.source) for row in kept],
        [row.speaker.confidence for row in kept],
        [seconds(row.lag_ns) for row in kept],
        [row.kind for row in kept],
        [row.speaker.method for row in kept],
        [storable_text(row.speaker.speaker_id) for row in kept],
        [storable_text(row.speaker.name) for row in kept],
        [row.evidence for row in kept],
    )
