"""HTTP: the whisper pool as OpenAI's transcription API, so that its clients get balancing.

Shapes are those of https://platform.openai.com/docs/api-reference/audio; `openai_errors` gives
errors OpenAI's form.
"""

import asyncio
from typing import Literal
from uuid import uuid4

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from orchestration.api.audio_forms import in_time
from orchestration.api.openai_answers import TranscriptionView, transcript_answer
from orchestration.api.openai_form import FORM_SCHEMA, TranscriptionForm, transcription_form
from orchestration.api.places import Places
from orchestration.audio.audio_files import SHORT_WAV_BYTES, AudioFile, short_wav
from orchestration.audio.decoding import DecodeLimits
from orchestration.config.current import CurrentSettings
from orchestration.config.models import AudioSettings
from orchestration.errors import BadAudio, BadRequest, UnsupportedAudio
from orchestration.services.decoding import decode
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
        with places.held():
            wanted, audio = await _received(request, current.now.audio)
            transcript = await transcribe_file(
                audio,
                engines,
                request_id=f"file-{uuid4().hex}",
                language=wanted.language.lower() if wanted.language else None,
                prompt=wanted.prompt,
            )
            return transcript_answer(transcript, wanted.response_format, wanted.granularities)

    return router


async def _received(
    request: Request, settings: AudioSettings
) -> tuple[TranscriptionForm, AudioFile]:
    """What is wanted, and of which audio."""
    try:
        form = await in_time(
            request.form(max_files=1, max_fields=MAX_FIELDS), settings.upload_timeout_s
        )
    except HTTPException as error:
        raise BadRequest(f"The form cannot be read: {error.detail}") from error
    try:
        return transcription_form(form), await _audio(form, settings)
    finally:
        await form.close()


async def _audio(form: FormData, settings: AudioSettings) -> AudioFile:
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise BadRequest("The form has no file in its field `file`.", {"param": "file"})
    if (upload.size or 0) <= SHORT_WAV_BYTES:
        audio = await asyncio.to_thread(short_wav, await upload.read())
        if audio is not None:
            return audio
    try:
        decoded = await decode(upload.file, _limits(settings))
    except UnsupportedAudio as error:
        # OpenAI answers 400 to such a file, and its clients know no 415.
        raise BadAudio(error.message, {**error.facts, "param": "file"}) from error
    return AudioFile(np.frombuffer(decoded.pcm, "<i2"))


def _limits(settings: AudioSettings) -> DecodeLimits:
    return DecodeLimits(
        max_file_bytes=MAX_FILE_BYTES,
        max_duration_ms=MAX_DURATION_S * 1000,
        max_expansion=settings.max_expansion,
        max_cpu_s=settings.decode_timeout_s,
        max_wait_ms=settings.decode_timeout_s * 1000,
    )
