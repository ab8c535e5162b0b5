"""Coverage as stored: what the archive knows of every sample's fate."""

from collections.abc import Sequence

from orchestration.json_types import JsonObject
from orchestration.storage.archive_ports import Archive
from orchestration.storage.values import StreamRow
from orchestration.transcript.coverage import stored_totals
from orchestration.transcript.lost_stretches import lost_stretches


def stream_coverages(rows: Sequence[StreamRow]) -> list[JsonObject]:
    """Each stream's coverage. Frames journaled since the last stored progress are pending."""
    return [
        stored_totals(row).to_json(row.spec.stream, row.spec.format.sample_rate) for row in rows
    ]


def gaps_json(rows: Sequence[StreamRow]) -> list[JsonObject]:
    """Where a second of audio or more was lost, in order of start."""
    return [one.to_json() for one in lost_stretches(rows)]


async def session_coverage(archive: Archive, session_id: str) -> JsonObject:
    """`{streams: […]}` as the protocol has it."""
    return {"streams": list(stream_coverages(await archive.streams(session_id)))}
