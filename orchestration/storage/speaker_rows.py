"""What a session stores of who spoke: corrections, and whose the voices are."""

from collections.abc import Iterable, Mapping, Sequence

from orchestration.json_types import JsonObject
from orchestration.session.events import seconds
from orchestration.speakers.label_names import LabelName
from orchestration.speakers.labels import group_of
from orchestration.storage import speaker_statements as sql
from orchestration.storage.pool import Connection
from orchestration.storage.stored_text import storable_text
from orchestration.storage.values import CorrectionRow, CorrelationRow
from orchestration.transcript.segments import Segment


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
            [storable_text(row.corrected_by) for row in rows],
            [row.repainted for row in rows],
        )
        undone = [_source_of(row.body) for row in rows if row.body["correction"] == "unmap"]
        if undone:
            await connection.execute(sql.FORGET_CORRELATIONS, session_id, undone)


def _source_of(body: JsonObject) -> str:
    return storable_text(str(body.get("speaker_id") or body.get("segment_id")))


async def names_of_labels(
    connection: Connection, session_id: str, segments: Iterable[Segment]
) -> dict[str, LabelName]:
    """The names that the labels of these segments have."""
    labels = {word.label for segment in segments for word in segment.words if word.label}
    rows = await connection.fetch(sql.VOICES, session_id, list(labels)) if labels else []
    return {
        row["label"]: LabelName(row["speaker_id"], row["share"], row["seconds"], row["episodes"])
        for row in rows
    }


async def note_names(connection: Connection, session_id: str, names: Mapping[str, str]) -> None:
    """Keep participants' names, by id, where they are new."""
    await connection.execute(sql.NOTE_NAMES, session_id, list(names), list(names.values()))


async def store_correlations(
    connection: Connection, session_id: str, rows: Sequence[CorrelationRow]
) -> None:
    """Store whose each voice is; the newest word on a voice stands, and of those that an upstream
    tells apart one has a name."""
    if not rows:
        return
    latest = {storable_text(row.source): row for row in rows}
    voices = {
        (storable_text(group_of(row.source)), storable_text(row.speaker.speaker_id)): source
        for source, row in latest.items()
        if row.speaker.method == "acoustic"
    }
    kept = [
        row
        for source, row in latest.items()
        if row.speaker.method != "acoustic" or source in voices.values()
    ]
    if voices:
        upstreams, people = zip(*voices, strict=True)
        await connection.execute(
            sql.FORGET_GIVEN_UP, session_id, list(voices.values()), upstreams, people
        )
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
        [row.segment.segment_id if row.segment else None for row in kept],
        [seconds(row.segment.start_ns) if row.segment else None for row in kept],
        [seconds(row.segment.end_ns) if row.segment else None for row in kept],
    )
