"""HTTP: audio as files and as chunks."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, BinaryIO, TypeVar

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, JsonValue, WithJsonSchema
from starlette.responses import JSONResponse, Response, StreamingResponse

from orchestration.api.audio_chunks import ChunkSenders, StoredChunk
from orchestration.api.audio_form_schemas import CHUNK_SCHEMA, UPLOAD_SCHEMA
from orchestration.api.audio_forms import (
    MAX_FORM_FIELDS,
    ChunkForm,
    UploadForm,
    chunk_audio,
    chunk_form,
    counted_request,
    file_name,
    upload_form,
)
from orchestration.api.audio_jobs import UploadJob, UploadOrder, Uploads
from orchestration.api.audio_views import UploadJobView, UploadResult, job_view, upload_result
from orchestration.api.coverage import stream_coverages
from orchestration.api.session_ids import SESSION_ID_PATTERN, new_session_id
from orchestration.api.sessions import check_overrides
from orchestration.api.setting_schemas import PRESET_SCHEMA, STAGES_SCHEMA
from orchestration.audio.decoding import DecodeLimits
from orchestration.audio.presets import PRESETS, STAGES, all_stages, stage_json
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.errors import BadRequest, JsonObject, OrchestrationError, UnknownJob
from orchestration.services.decoding import decode
from orchestration.session.events import iso_utc
from orchestration.session.fields import MAX_STREAM
from orchestration.session.inputs import ParticipantRef, StreamSpec
from orchestration.storage.archive_ports import Archive, QualitySummary
from orchestration.storage.values import SessionSpec

UPLOAD_PATH = "/api/audio/upload"
CHUNK_PATH = "/api/audio/chunk"
LARGEST_BODY_BYTES = 1_073_741_824
"""No setting allows more."""
SSE_HEARTBEAT_S = 10

Answer = TypeVar("Answer")


class ChunkResult(BaseModel):
    """What became of a chunk: `stored`, or `repeated` when it was stored before."""

    chunk_id: str
    session_id: str
    status: str
    processing_result: dict[str, JsonValue]
    timestamp: str
    message: str


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


class AudioSetting(BaseModel):
    """What audio passes before whisper hears it: a preset, and changes of single stages."""

    model_config = ConfigDict(json_schema_extra={"example": {"preset": "noisy", "stages": {}}})

    preset: Annotated[str, WithJsonSchema(PRESET_SCHEMA)] = "default"
    stages: Annotated[dict[str, JsonValue], WithJsonSchema(STAGES_SCHEMA)] = {}


class AudioConfig(BaseModel):
    """A setting in full. `parameters` says each parameter's default, range and unit."""

    preset: str
    stages: dict[str, JsonValue]
    parameters: dict[str, JsonValue]


def audio_router(
    current: CurrentSettings, archive: Archive, uploads: Uploads, senders: ChunkSenders
) -> APIRouter:
    """`/api/audio`: upload, jobs, chunk, stats."""
    router = APIRouter(prefix="/api/audio", tags=["audio"])
    limits = current.now.audio
    results = _Results(archive, uploads)

    @router.post(
        "/upload",
        response_model=UploadResult,
        openapi_extra=UPLOAD_SCHEMA,
        responses={
            200: {"content": {"text/event-stream": {}}},
            202: {"model": UploadJobView, "description": "Not done yet: ask at `status_url`"},
        },
    )
    async def upload(
        request: Request,
        accept: Annotated[str | None, Header()] = None,
        prefer: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Transcribe a file: as a session of its own, or as one more stream of `session_id`.

        Answers at once when the file is soon done, else with a job. With `Accept:
        text/event-stream` it tells its progress, and the result as the last event.
        """
        with uploads.place() as place:
            counted = counted_request(request, limits.max_upload_bytes, "max_upload_bytes")
            form = await _in_time(
                counted.form(max_files=1, max_fields=MAX_FORM_FIELDS), limits.upload_timeout_s
            )
            try:
                wanted, file = upload_form(form)
                name, size = file_name(file), file.size or 0
                if not wanted.transcription:
                    facts = await _facts_only(file.file, name, size, uploads.limits())
                    await form.close()
                    return facts
                if wanted.session_id is not None:
                    await archive.session(wanted.session_id)
                order = _order(wanted, name, size, file.file, current.now)
                job = await uploads.start(order, place)
            except BaseException:
                await form.close()
                raise
        with_speakers = wanted.speaker_diarization
        if accept and "text/event-stream" in accept:
            events = _events(job, results, with_speakers)
            return StreamingResponse(events, media_type="text/event-stream")
        within_s = 0 if prefer and "respond-async" in prefer else limits.answer_within_s
        return await _answer(job, results, within_s, with_speakers)

    @router.get("/jobs/{job_id}")
    async def job(job_id: str) -> UploadJobView:
        """How a file is doing, and its result once it is done. Any replica answers."""
        return await results.view(job_id)

    @router.post("/chunk", response_model=ChunkResult, openapi_extra=CHUNK_SCHEMA)
    async def chunk(request: Request) -> ChunkResult:
        """Store some seconds of audio: durable before the answer, once however often it comes."""
        counted = counted_request(request, limits.max_chunk_bytes * 4 // 3, "max_chunk_bytes")
        body, audio = await _in_time(chunk_form(counted), limits.upload_timeout_s)
        spec, pcm = await chunk_audio(body, audio, limits.max_chunk_bytes)
        sender = await senders.of(body.session_id)
        stored = await sender.store(spec, body.sequence, body.first_sample, pcm)
        return _chunk_result(body, spec, stored)

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
            max_uploads=limits.max_uploads,
            chunks=senders.chunks,
            streams=[_rounded(one) for one in qualities],
        )

    @router.get("/presets")
    async def presets() -> dict[str, AudioConfig]:
        """Every preset with all its stages."""
        return {name: _config({"preset": name}) for name in PRESETS}

    @router.get("/config")
    async def config() -> AudioConfig:
        """What sessions get that do not say: `audio.preset`."""
        return _config({"preset": current.now.audio.preset})

    @router.post("/config")
    async def check_config(body: AudioSetting) -> AudioConfig:
        """Check a setting and say what it comes to; give it to a session as `settings.audio`."""
        return _config({"preset": body.preset, "stages": body.stages})

    return router


class _Results:
    """Jobs as they stand: those of this process, and those that the archive knows."""

    def __init__(self, archive: Archive, uploads: Uploads) -> None:
        self._archive = archive
        self._uploads = uploads

    async def of(self, job: UploadJob, with_speakers: bool) -> UploadResult:
        """A finished job's result; raises what ended it."""
        if job.error is not None:
            raise job.error
        session_id, stream = job.order.session_id, job.stream
        return await self._stored(session_id, stream, job, with_speakers)

    async def view(self, job_id: str) -> UploadJobView:
        """Any job. Raises UnknownJob."""
        job = self._uploads.known(job_id)
        if job is not None:
            return job_view(job)
        session_id, _, stream = job_id.rpartition(".")
        if not session_id or not stream.isdigit() or int(stream) > MAX_STREAM:
            raise UnknownJob("No job has this id.", {"job_id": job_id[:100]})
        result = await self._stored(session_id, int(stream), None, True)
        heard = result.processing_result
        assert heard is not None
        done = heard.status in ("completed", "failed") or not heard.pending_seconds
        duration = result.audio_metadata.duration
        return UploadJobView(
            job_id=job_id,
            request_id=job_id,
            session_id=session_id,
            status=("failed" if heard.status == "failed" else "completed")
            if done
            else "processing",
            stage="done" if done else "transcribing",
            progress=1.0 if done else round(1 - heard.pending_seconds / max(duration, 0.001), 3),
            decoded_seconds=duration,
            transcribed_seconds=round(duration - heard.pending_seconds, 3),
            status_url=f"/api/audio/jobs/{job_id}",
            live_url=f"/ws/live/{session_id}",
            result=result if done else None,
        )

    async def _stored(
        self, session_id: str, stream: int, job: UploadJob | None, with_speakers: bool
    ) -> UploadResult:
        row = await self._archive.session(session_id)
        streams = await self._archive.streams(session_id)
        mine = next((one for one in streams if one.spec.stream == stream), None)
        if mine is None:
            raise UnknownJob("No job has this id.", {"session_id": session_id, "stream": stream})
        stored = await self._archive.segments(session_id)
        coverage = stream_coverages([mine])[0]
        job_id = f"{session_id}.{stream}"
        return upload_result(job_id, row, mine, coverage, stored, job, with_speakers)


async def _answer(
    job: UploadJob, results: _Results, within_s: float, with_speakers: bool
) -> Response:
    try:
        async with asyncio.timeout(within_s):
            await job.finished.wait()
    except TimeoutError:
        view = job_view(job)
        headers = {"Location": view.status_url, "Retry-After": "2"}
        return JSONResponse(view.model_dump(), status_code=202, headers=headers)
    return JSONResponse((await results.of(job, with_speakers)).model_dump())


async def _events(job: UploadJob, results: _Results, with_speakers: bool) -> AsyncIterator[str]:
    """Progress at each step, then the result or the problem."""
    while not job.finished.is_set():
        changed = job.changed
        yield _event("progress", job_view(job).model_dump(exclude={"result"}))
        try:
            async with asyncio.timeout(SSE_HEARTBEAT_S):
                await changed.wait()
        except TimeoutError:
            yield ": still at work\n\n"
    try:
        yield _event("result", (await results.of(job, with_speakers)).model_dump())
    except OrchestrationError as error:
        problem: JsonObject = {
            **error.facts,
            "status": error.http_status,
            "code": error.code,
            "detail": error.message,
        }
        yield _event("error", problem)


def _event(name: str, body: object) -> str:
    return f"event: {name}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"


async def _facts_only(file: BinaryIO, name: str, size: int, limits: DecodeLimits) -> Response:
    """The file decoded and not heard."""
    audio = await decode(file, limits)
    body = {
        "request_id": new_session_id(),
        "session_id": "",
        "filename": name,
        "file_size": size,
        "audio_metadata": {
            "container": audio.source.container,
            "codec": audio.source.codec,
            "sample_rate": audio.source.sample_rate,
            "channels": audio.source.channels,
            "duration": audio.duration_ms / 1000,
            "damaged_packets": audio.damaged_packets,
        },
        "processing_result": None,
        "translations": {},
    }
    return JSONResponse(UploadResult.model_validate(body).model_dump())


def _order(
    wanted: UploadForm, name: str, size: int, file: BinaryIO, settings: Settings
) -> UploadOrder:
    who = wanted.config.participant
    participant = ParticipantRef(who.id, who.name) if who else None
    overrides: JsonObject = dict(wanted.config.settings)
    check_overrides(overrides, settings.sessions.chunking)
    if wanted.session_id is not None:
        return UploadOrder(name, size, file, None, wanted.session_id, participant)
    spec = SessionSpec(
        session_id=new_session_id(),
        title=wanted.config.title or name,
        language=wanted.language or wanted.config.language,
        target_languages=tuple(dict.fromkeys(wanted.target_languages)),
        settings=overrides,
    )
    return UploadOrder(name, size, file, spec, spec.session_id, participant)


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


def _rounded(summary: QualitySummary) -> StreamQuality:
    figures = {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(summary).items()
    }
    return StreamQuality.model_validate(figures)


def _config(setting: JsonObject) -> AudioConfig:
    parameters: JsonObject = {
        stage: {
            name: {"default": one.default, "min": one.least, "max": one.most, "unit": one.unit}
            for name, one in known.items()
        }
        for stage, known in STAGES.items()
    }
    stages: JsonObject = {one.name: stage_json(one) for one in all_stages(setting)}
    return AudioConfig(preset=str(setting["preset"]), stages=stages, parameters=parameters)


async def _in_time(coming: Awaitable[Answer], timeout_s: float) -> Answer:
    try:
        async with asyncio.timeout(timeout_s):
            return await coming
    except TimeoutError:
        raise BadRequest(
            f"The body did not come within {timeout_s:g} s.",
            {"limit": "upload_timeout_s", "max": timeout_s},
        ) from None
