"""HTTP: the whisper pool as OpenAI's transcription API, so that its clients get balancing.

Shapes and errors are those of https://platform.openai.com/docs/api-reference/audio.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Literal
from uuid import uuid4

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from orchestration.api.audio_forms import in_time
from orchestration.api.openai_answers import TranscriptionView, transcript_answer
from orchestration.api.openai_form import FORM_SCHEMA, TranscriptionForm, transcription_form
from orchestration.api.places import Places
from orchestration.audio.audio_files import AudioFile, read_audio_file
from orchestration.config.current import CurrentSettings
from orchestration.errors import BadRequest, JsonObject, OrchestrationError
from orchestration.session.engine_calls import Engines
from orchestration.session.file_transcription import transcribe_file

TRANSCRIPTIONS_PATH = "/v1/audio/transcriptions"
MAX_FILE_BYTES = 25 * 2**20
"""OpenAI's own limit; a larger upload gets 413."""
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 65_536
"""With the form around the file."""
MAX_DURATION_S = 4 * 3600
"""Audio of one file; a longer one gets 413."""
MAX_FILES_AT_ONCE = 2
"""Files under way in one process; one more gets 429."""
MAX_FIELDS = 20
"""Of a form, beside its file."""
READ_BYTES = 2**20


class ModelView(BaseModel):
    """A model that may be named in a transcription request."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "orchestration"


class ModelsView(BaseModel):
    """What `model` may be: the pool decides what hears a chunk."""

    object: Literal["list"] = "list"
    data: list[ModelView]


def openai_router(current: CurrentSettings, engines: Engines) -> APIRouter:
    """`/v1/audio/transcriptions` and `/v1/models`."""
    router = APIRouter(prefix="/v1", tags=["openai"])
    places = Places(
        MAX_FILES_AT_ONCE,
        "max_files_at_once",
        f"{MAX_FILES_AT_ONCE} files are being transcribed, as many as may be at once; "
        "try again later.",
    )

    @router.get("/models")
    async def models() -> ModelsView:
        """The one model that OpenAI's clients may name here."""
        return ModelsView(data=[ModelView(id="whisper-1")])

    @router.post(
        TRANSCRIPTIONS_PATH.removeprefix("/v1"),
        openapi_extra=FORM_SCHEMA,
        response_model=TranscriptionView,
        responses={200: {"description": "The transcript, in the format asked for"}},
    )
    async def transcriptions(request: Request) -> Response:
        """Transcribe one file by the whisper pool: OpenAI's route, for OpenAI's clients."""
        try:
            with places.held():
                wanted, audio = await _received(request, current.now.audio.upload_timeout_s)
                transcript = await transcribe_file(
                    audio,
                    engines,
                    request_id=f"file-{uuid4().hex}",
                    language=wanted.language.lower() if wanted.language else None,
                    prompt=wanted.prompt,
                )
                return transcript_answer(transcript, wanted.response_format, wanted.granularities)
        except OrchestrationError as error:
            return _openai_error(error)

    return router


async def _received(request: Request, timeout_s: float) -> tuple[TranscriptionForm, AudioFile]:
    """What is wanted, and of which audio."""
    try:
        form = await in_time(request.form(max_files=1, max_fields=MAX_FIELDS), timeout_s)
    except HTTPException as error:
        raise BadRequest(f"The form cannot be read: {error.detail}") from error
    try:
        return transcription_form(form), await _audio(form)
    finally:
        await form.close()


async def _audio(form: FormData) -> AudioFile:
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise BadRequest("The form has no file in its field `file`.", {"param": "file"})
    with tempfile.NamedTemporaryFile(prefix="transcription-") as spool:
        while part := await upload.read(READ_BYTES):
            await asyncio.to_thread(spool.write, part)
        spool.flush()
        return await asyncio.to_thread(
            read_audio_file, Path(spool.name), max_duration_s=MAX_DURATION_S
        )


def _openai_error(error: OrchestrationError) -> Response:
    kind = "server_error" if error.http_status >= 500 else "invalid_request_error"
    if error.http_status == 429:
        kind = "rate_limit_error"
    param = error.facts.get("param")
    body: JsonObject = {
        "error": {"message": error.message, "type": kind, "param": param, "code": error.code}
    }
    response = JSONResponse(body, status_code=error.http_status)
    if error.http_status in (429, 503):
        response.headers["Retry-After"] = "1"
    return response
