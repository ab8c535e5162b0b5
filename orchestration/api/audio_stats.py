"""HTTP: what became of audio, and how good it was."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from orchestration.api.audio_chunks import ChunkSenders
from orchestration.api.audio_jobs import Uploads
from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.config.current import CurrentSettings
from orchestration.storage.archive_ports import Archive, QualitySummary


class StreamQuality(BaseModel):
    """Means over the chunks of one stream; `score` is 0 to 1."""

    stream: int
    chunks: int
    score: float
    snr_db: float
    speech_ratio: float
    rms_dbfs: float
    clipped_ratio: float


class AudioStats(BaseModel):
    """What this ingress replica did since it started."""

    uploads_under_way: int
    uploads_done: int
    uploads_failed: int
    max_uploads: int
    chunks: int
    streams: list[StreamQuality] = []
    """With `session_id`: how good the audio of each of its streams was."""


def audio_stats_router(
    current: CurrentSettings, archive: Archive, uploads: Uploads, senders: ChunkSenders
) -> APIRouter:
    """`/api/audio/stats`."""
    router = APIRouter(prefix="/api/audio", tags=["audio"])

    @router.get("/stats")
    async def stats(
        session_id: Annotated[str | None, Query(pattern=SESSION_ID_PATTERN)] = None,
    ) -> AudioStats:
        """Uploads and chunks of this replica; with `session_id`, the quality of its audio."""
        qualities = await archive.qualities(session_id) if session_id else ()
        return AudioStats(
            uploads_under_way=uploads.under_way,
            uploads_done=uploads.done,
            uploads_failed=uploads.failed,
            max_uploads=current.now.audio.max_uploads,
            chunks=senders.chunks,
            streams=[_rounded(one) for one in qualities],
        )

    return router


def _rounded(summary: QualitySummary) -> StreamQuality:
    figures = {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(summary).items()
    }
    return StreamQuality.model_validate(figures)
