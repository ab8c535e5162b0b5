"""HTTP: the whisper pool as OpenAI's transcription API, so that its clients get balancing.

Shapes and errors are those of https://platform.openai.com/docs/api-reference/audio.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from fastapi import APIRouter, Request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, PlainTextResponse, Response

from orchestration.audio.audio_files import AudioFile, read_audio_file
from orchestration.errors import BadRequest, JsonObject, LimitReached, OrchestrationError
from orchestration.services.ports import ENGINE_SAMPLE_RATE
from orchestration.session.engine_calls import Engines
from orchestration.session.events import NS_PER_SECOND
from orchestration.session.file_transcription import FileTranscript, transcribe_file
from orchestration.storage.archive_ports import StoredSegment
from orchestration.transcript.exports import to_srt, to_vtt
from orchestration.transcript.lines import Line
from orchestration.transcript.segments import Segment, TimedWord
from orchestration.transcript.words import join_words

TRANSCRIPTIONS_PATH = "/v1/audio/transcriptions"
MAX_FILE_BYTES = 25 * 2**20
"""OpenAI's own limit; a larger upload gets 413."""
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 65_536
"""With the form around the file."""
MAX_DURATION_S = 4 * 3600
"""Audio of one file; a longer one gets 413."""
MAX_FILES_AT_ONCE = 2
"""Files under way in one process; one more gets 429."""
MAX_PROMPT_CHARACTERS = 2_000
LANGUAGE_PATTERN = r"^[A-Za-z]{2,3}$"
READ_BYTES = 2**20

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]


class TranscriptionForm(BaseModel):
    """The fields beside `file`. `model` and `temperature` are the pool's own business, and
    taken for the sake of clients that have to send them."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(min_length=1, max_length=200)
    language: str | None = Field(None, pattern=LANGUAGE_PATTERN)
    prompt: str = Field("", max_length=MAX_PROMPT_CHARACTERS)
    response_format: ResponseFormat = "json"
    temperature: float = Field(0, ge=0, le=1)
    stream: Literal["false", "False", "0", ""] = "false"
    granularities: list[Literal["word", "segment"]] = Field(
        default=["segment"],
        validation_alias=AliasChoices("timestamp_granularities[]", "timestamp_granularities"),
    )


FORM_SCHEMA: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "model"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "model": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 200,
                            "example": "whisper-1",
                        },
                        "language": {
                            "type": "string",
                            "pattern": LANGUAGE_PATTERN,
                            "example": "en",
                        },
                        "prompt": {
                            "type": "string",
                            "maxLength": MAX_PROMPT_CHARACTERS,
                            "example": "Names: Ana, Bruno.",
                        },
                        "response_format": {
                            "type": "string",
                            "enum": ["json", "text", "srt", "verbose_json", "vtt"],
                            "default": "json",
                        },
                        "temperature": {
                            "type": "number",
                            "minimum": 0,
                            "maximum": 1,
                            "default": 0,
                        },
                        "timestamp_granularities[]": {
                            "type": "array",
                            "items": {"type": "string", "enum": ["word", "segment"]},
                            "example": ["segment"],
                        },
                    },
                }
            }
        },
    }
}


class TranscriptionView(BaseModel):
    """The transcript; `verbose_json` has times, segments and words besides, as OpenAI's."""

    model_config = ConfigDict(extra="allow")

    text: str


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


def openai_router(engines: Engines) -> APIRouter:
    """`/v1/audio/transcriptions` and `/v1/models`."""
    router = APIRouter(prefix="/v1", tags=["openai"])
    gate = _Gate()

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
            with gate:
                async with request.form(max_files=1, max_fields=20) as form:
                    wanted = _wanted(form)
                    audio = await _received(form)
                transcript = await transcribe_file(
                    audio,
                    engines,
                    request_id=f"file-{uuid4().hex}",
                    language=wanted.language.lower() if wanted.language else None,
                    prompt=wanted.prompt,
                )
                return _answer(transcript, wanted)
        except OrchestrationError as error:
            return _openai_error(error)

    return router


class _Gate:
    """Counts the files under way."""

    def __init__(self) -> None:
        self._open = 0

    def __enter__(self) -> None:
        if self._open >= MAX_FILES_AT_ONCE:
            raise LimitReached(
                f"{MAX_FILES_AT_ONCE} files are being transcribed, as many as may be at once; "
                "try again later.",
                {"limit": "max_files_at_once", "max": MAX_FILES_AT_ONCE},
            )
        self._open += 1

    def __exit__(self, *_: object) -> None:
        self._open -= 1


def _wanted(form: FormData) -> TranscriptionForm:
    fields: dict[str, object] = {
        name: value for name, value in form.items() if isinstance(value, str)
    }
    for name in ("timestamp_granularities[]", "timestamp_granularities"):
        if name in form:
            fields[name] = form.getlist(name)
    try:
        return TranscriptionForm.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{name}: {first['msg']}.", {"param": name}) from error


async def _received(form: FormData) -> AudioFile:
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


@dataclass(frozen=True, slots=True)
class _Written:
    """A transcript on its way into an answer."""

    transcript: FileTranscript

    @property
    def text(self) -> str:
        return " ".join(_text(line) for line in self.transcript.lines)

    @property
    def cues(self) -> list[StoredSegment]:
        return [
            StoredSegment(_segment(number, line), ())
            for number, line in enumerate(self.transcript.lines)
        ]


def _answer(transcript: FileTranscript, wanted: TranscriptionForm) -> Response:
    written = _Written(transcript)
    formats: Mapping[ResponseFormat, Callable[[], Response]] = {
        "json": lambda: JSONResponse({"text": written.text}),
        "text": lambda: PlainTextResponse(written.text + "\n"),
        "srt": lambda: PlainTextResponse(to_srt(written.cues)),
        "vtt": lambda: Response(to_vtt(written.cues), media_type="text/vtt"),
        "verbose_json": lambda: JSONResponse(_verbose(written, wanted)),
    }
    return formats[wanted.response_format]()


def _verbose(written: _Written, wanted: TranscriptionForm) -> JsonObject:
    transcript = written.transcript
    body: JsonObject = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": transcript.duration_ms / 1000,
        "text": written.text,
    }
    if "segment" in wanted.granularities:
        body["segments"] = [
            {
                "id": number,
                "start": _seconds(line.words[0].word.start_sample),
                "end": _seconds(max(one.word.end_sample for one in line.words)),
                "text": _text(line),
            }
            for number, line in enumerate(transcript.lines)
        ]
    if "word" in wanted.granularities:
        body["words"] = [
            {
                "word": one.word.text,
                "start": _seconds(one.word.start_sample),
                "end": _seconds(one.word.end_sample),
                "probability": one.word.probability,
            }
            for line in transcript.lines
            for one in line.words
        ]
    return body


def _text(line: Line) -> str:
    return join_words([one.word.text for one in line.words], line.language)


def _segment(number: int, line: Line) -> Segment:
    words = tuple(
        TimedWord(
            one.word.text,
            one.word.start_sample * NS_PER_SECOND // ENGINE_SAMPLE_RATE,
            one.word.end_sample * NS_PER_SECOND // ENGINE_SAMPLE_RATE,
            one.word.probability,
        )
        for one in line.words
    )
    end_ns = max(word.end_ns for word in words)
    return Segment(str(number), 1, 0, words[0].start_ns, end_ns, None, line.language, words)


def _seconds(samples: int) -> float:
    return round(samples / ENGINE_SAMPLE_RATE, 3)


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
