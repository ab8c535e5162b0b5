"""HTTP: audio as chunks."""

import time
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, JsonValue

from orchestration.api.audio_chunks import ChunkSenders, StoredChunk
from orchestration.api.audio_form_schemas import CHUNK_SCHEMA
from orchestration.api.audio_forms import (
    ChunkForm,
    chunk_audio,
    chunk_form,
    counted_request,
    in_time,
)
from orchestration.config.current import CurrentSettings
from orchestration.session.events import iso_utc
from orchestration.session.inputs import StreamSpec

CHUNK_PATH = "/api/audio/chunk"


class ChunkResult(BaseModel):
    """What became of a chunk: `stored`, or `repeated` when it was stored before."""

    chunk_id: str
    session_id: str
    status: str
    processing_result: dict[str, JsonValue]
    timestamp: str
    message: str


def chunks_router(current: CurrentSettings, senders: ChunkSenders) -> APIRouter:
    """`/api/audio/chunk`."""
    router = APIRouter(prefix="/api/audio", tags=["audio"])

    @router.post("/chunk", response_model=ChunkResult, openapi_extra=CHUNK_SCHEMA)
    async def chunk(request: Request) -> ChunkResult:
        """Store some seconds of audio: durable before the answer, once however often it comes."""
        limits = current.now.audio
        counted = counted_request(request, limits.max_chunk_bytes * 4 // 3, "max_chunk_bytes")
        body, audio = await in_time(chunk_form(counted), limits.upload_timeout_s)
        read_ns = time.monotonic_ns()
        spec, pcm = await chunk_audio(body, audio, limits.max_chunk_bytes)
        sender = await senders.of(body.session_id)
        stored = await sender.store(spec, body.sequence, body.first_sample, pcm, read_ns)
        return _chunk_result(body, spec, stored)

    return router


def _chunk_result(body: ChunkForm, spec: StreamSpec, stored: StoredChunk) -> ChunkResult:
    rate = spec.format.sample_rate
    status = "repeated" if stored.repeated else "stored"
    start = None if stored.first_sample is None else stored.first_sample / rate
    return ChunkResult(
        chunk_id=f"{body.session_id}:{body.stream}:{stored.sequence}",
        session_id=body.session_id,
        status=status,
        processing_result={
            "stream": body.stream,
            "sequence": stored.sequence,
            "first_sample": stored.first_sample,
            "chunk_start_time": start,
            "next_sequence": stored.next_sequence,
            "next_sample": stored.next_sample,
            "sample_rate": rate,
        },
        timestamp=iso_utc(int(datetime.now(UTC).timestamp() * 1000)),
        message=f"Chunk {stored.sequence} is durable; chunk {stored.next_sequence} is next.",
    )
