"""HTTP: audio as files, and the jobs that hear them."""

from dataclasses import replace
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from orchestration.api.audio_form_schemas import UPLOAD_SCHEMA
from orchestration.api.audio_forms import (
    MAX_FORM_FIELDS,
    UploadForm,
    counted_request,
    file_name,
    in_time,
    upload_form,
)
from orchestration.api.audio_jobs import Uploads
from orchestration.api.audio_results import UploadResults
from orchestration.api.audio_views import UploadJobView, UploadResult
from orchestration.api.replicas import Replicas
from orchestration.api.session_ids import new_session_id
from orchestration.api.sessions import check_overrides
from orchestration.api.upload_answers import (
    FollowedJob,
    JobHere,
    RepeatedJob,
    upload_answer,
    upload_events,
)
from orchestration.api.upload_job import UploadOrder
from orchestration.api.upload_repeats import KEY_PATTERN, UploadRepeats, request_key
from orchestration.audio.decoding import DecodeLimits
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.json_types import JsonObject
from orchestration.services.decoding import decode
from orchestration.session.fields import clean_name
from orchestration.session.inputs import ParticipantRef
from orchestration.storage.archive_ports import Archive
from orchestration.storage.values import SessionSpec

UPLOAD_PATH = "/api/audio/upload"
LARGEST_BODY_BYTES = 1_073_741_824
"""No setting allows more."""
IdempotencyKey = Annotated[
    str | None, Header(pattern=KEY_PATTERN, examples=['"0f5c2d1e-interview"'])
]


def uploads_router(
    current: CurrentSettings, archive: Archive, uploads: Uploads, replicas: Replicas
) -> APIRouter:
    """`/api/audio/upload` and `/api/audio/jobs`."""
    router = APIRouter(prefix="/api/audio", tags=["audio"])
    results = UploadResults(current, archive, uploads, replicas)
    repeats = UploadRepeats(archive, uploads, results)

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
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Transcribe a file: as a session of its own, or as one more stream of `session_id`.

        Answers at once when the file is soon done, else with a job. With `Accept:
        text/event-stream` it tells its progress, and the result as the last event. The same
        request again, with the same `Idempotency-Key`, is answered by what the first one made.
        """
        limits = current.now.audio
        with uploads.place() as place:
            counted = counted_request(request, limits.max_upload_bytes, "max_upload_bytes")
            form = await in_time(
                counted.form(max_files=1, max_fields=MAX_FORM_FIELDS), limits.upload_timeout_s
            )
            try:
                wanted, file = upload_form(form)
                name, size = file_name(file), file.size or 0
                order = _order(wanted, name, size, file.file, current.now)
                if not wanted.transcription:
                    return await _facts_only(file.file, name, size, uploads.limits())
                if wanted.session_id is not None:
                    await archive.session(wanted.session_id)
                if idempotency_key is not None:
                    key = await request_key(idempotency_key, wanted, name, file.file)
                    order = replace(order, key=key)
                job = await repeats.begun(order, place)
            finally:
                if not place.kept:
                    await form.close()
        with_speakers = wanted.speaker_diarization
        followed: FollowedJob = (
            RepeatedJob(job, results, with_speakers, name, size)
            if isinstance(job, str)
            else JobHere(job, results, with_speakers)
        )
        if accept and "text/event-stream" in accept:
            return StreamingResponse(upload_events(followed), media_type="text/event-stream")
        within_s = 0 if prefer and "respond-async" in prefer else limits.answer_within_s
        return await upload_answer(followed, within_s)

    @router.get("/jobs/{job_id}")
    async def job(job_id: str) -> UploadJobView:
        """How a file is doing, and its result once it is done. Any replica answers."""
        return await results.view(job_id)

    return router


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
        title=clean_name(wanted.config.title or "") or name,
        language=wanted.language or wanted.config.language,
        target_languages=tuple(dict.fromkeys(wanted.target_languages)),
        settings=overrides,
    )
    return UploadOrder(name, size, file, spec, spec.session_id, participant)
