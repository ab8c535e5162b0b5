"""What comes with an uploaded file or a chunk, read strictly."""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Mapping
from typing import Annotated, Literal, TypeVar

from fastapi import Request
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)
from pydantic import ValidationError as Invalid
from pydantic_core import PydanticCustomError
from starlette.datastructures import FormData, UploadFile

from orchestration.api.counted_body import check_length, counted
from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.api.sessions import MAX_TARGET_LANGUAGES, MAX_TITLE_CHARACTERS, Language
from orchestration.audio.decoding import DecodeLimits
from orchestration.audio.pcm import PcmFormat, check_format
from orchestration.errors import BadAudio, BadRequest, BodyTooSlow, Unavailable
from orchestration.services.decoding import decode
from orchestration.session.fields import MAX_INTEGER, MAX_STREAM, clean_name, on_one_line
from orchestration.session.inputs import ParticipantRef, StreamSpec

FORM_OVERHEAD_BYTES = 65_536
"""What a form may hold beside its file."""
MAX_FORM_FIELDS = 40
MAX_FILE_NAME_CHARACTERS = 200
CHUNK_DURATION_S = 60
"""Audio of one chunk."""

AUDIO_FIELDS = ("audio_data", "chunk_data", "audio")
"""Where the audio of a chunk may be."""

Answer = TypeVar("Answer")

SessionIdText = Annotated[str, StringConstraints(pattern=SESSION_ID_PATTERN)]


def _flag(value: object) -> bool:
    # Pydantic's own reading takes 0, no, off and more for a boolean; the reference promises none.
    match str(value).lower():
        case "true":
            return True
        case "false":
            return False
    raise PydanticCustomError("form_flag", "Input should be true or false")


Flag = Annotated[bool, BeforeValidator(_flag)]
"""`true` or `false` in a form, in letters of either case."""


def _identifier(value: str) -> str:
    # Refused rather than cleaned, lest two of them become one.
    if on_one_line(value) != value:
        message = "Input should be text without control characters or outer spaces"
        raise PydanticCustomError("identifier", message)
    return value


def _name(value: str) -> str:
    name = clean_name(value)
    if not name:
        raise PydanticCustomError("name", "Input should have a visible character")
    return name


class Participant(BaseModel):
    """Whose voice alone is in the audio."""

    id: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_identifier)]
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]


class UploadConfig(BaseModel):
    """The field `config`, a JSON object; unknown members are ignored."""

    language: Language | None = None
    title: str | None = Field(None, max_length=MAX_TITLE_CHARACTERS)
    settings: dict[str, JsonValue] = {}
    participant: Participant | None = None


class UploadForm(BaseModel):
    """The fields beside the file."""

    session_id: SessionIdText | None = None
    config: UploadConfig = UploadConfig()
    language: Language | None = None
    transcription: Flag = True
    speaker_diarization: Flag = True
    target_languages: list[Language] = Field([], max_length=MAX_TARGET_LANGUAGES)


class ChunkForm(BaseModel):
    """A chunk; in JSON the audio is base64 in `audio_data` (or `chunk_data`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "session_id": "weekly",
                "stream": 0,
                "sequence": 0,
                "encoding": "s16le",
                "sample_rate": 16000,
                "channels": 1,
                "audio_data": "AAAAAA==",
            }
        }
    )

    session_id: SessionIdText
    stream: int = Field(0, ge=0, le=MAX_STREAM)
    sequence: int = Field(
        ge=0, le=MAX_INTEGER, validation_alias=AliasChoices("sequence", "chunk_sequence")
    )
    first_sample: int | None = Field(None, ge=0, le=MAX_INTEGER)
    encoding: Literal["s16le", "f32le", "file"] = "s16le"
    sample_rate: int = 16_000
    channels: int = 1
    participant: Participant | None = None
    audio_data: str | None = Field(None, validation_alias=AliasChoices(*AUDIO_FIELDS))


def counted_request(request: Request, max_bytes: int, limit: str) -> Request:
    """The same request, whose body ends with TooLarge once it is over the limit."""
    check_length(request.scope, max_bytes, limit, FORM_OVERHEAD_BYTES)
    receive = counted(request.receive, max_bytes, limit, FORM_OVERHEAD_BYTES)
    return Request(request.scope, receive)


def upload_form(form: FormData) -> tuple[UploadForm, UploadFile]:
    """The fields of an upload, and its file.

    Raises:
        BadRequest: a field is malformed, or there is no file.
    """
    fields: dict[str, object] = {}
    for name, value in form.items():
        if isinstance(value, str):
            fields[name] = value.strip()
    for name in ("config", "target_languages"):
        if name in fields:
            fields[name] = _json_or_list(name, str(fields[name]))
    repeated = form.getlist("target_languages")
    if len(repeated) > 1 or repeated == [""]:
        fields["target_languages"] = repeated
    return _validated(UploadForm, fields), file_of(form)


async def chunk_form(request: Request) -> tuple[ChunkForm, bytes]:
    """A chunk's fields and its audio, from JSON or from a form.

    Raises:
        BadRequest: a field is malformed, or there is no audio.
    """
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=MAX_FORM_FIELDS) as form:
            fields: dict[str, object] = {
                name: value for name, value in form.items() if isinstance(value, str) and value
            }
            if "participant" in fields:
                fields["participant"] = _json_or_list("participant", str(fields["participant"]))
            body = _validated(ChunkForm, fields)
            return body, await file_of(form).read()
    try:
        raw = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise BadRequest("The body is neither JSON nor a form.", {"field": "body"}) from None
    body = _validated(ChunkForm, raw)
    return body, _decoded(body)


def chunk_of(fields: Mapping[str, object]) -> tuple[ChunkForm, bytes]:
    """A chunk's fields and its audio, base64 or bytes as they are.

    Raises:
        BadRequest: a field is malformed, or there is no audio.
    """
    for name in AUDIO_FIELDS:
        audio = fields.get(name)
        if isinstance(audio, bytes):
            rest = {key: value for key, value in fields.items() if key not in AUDIO_FIELDS}
            return _validated(ChunkForm, rest), audio
    body = _validated(ChunkForm, fields)
    return body, _decoded(body)


def _decoded(body: ChunkForm) -> bytes:
    if body.audio_data is None:
        raise BadRequest("The chunk has no audio_data.", {"field": "audio_data"})
    try:
        return base64.b64decode(body.audio_data, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("audio_data is not base64.", {"field": "audio_data"}) from None


def file_of(form: FormData) -> UploadFile:
    """The file, under either of its names."""
    for name in ("file", "audio"):
        value = form.get(name)
        if isinstance(value, UploadFile):
            return value
    raise BadRequest("The form has no file; send one as `file`.", {"field": "file"})


def file_name(file: UploadFile) -> str:
    """What the sender calls the file, as far as it can be shown."""
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    return clean_name(name)[:MAX_FILE_NAME_CHARACTERS] or "audio"


async def chunk_audio(body: ChunkForm, audio: bytes, max_bytes: int) -> tuple[StreamSpec, bytes]:
    """A chunk's stream and its samples.

    Raises:
        BadAudio: no file that can be decoded, not whole samples, or more than `max_bytes`.
    """
    who = body.participant
    participant = ParticipantRef(who.id, who.name) if who else None
    if body.encoding == "file":
        limits = DecodeLimits(max_file_bytes=max_bytes, max_duration_ms=CHUNK_DURATION_S * 1000)
        decoded = await decode(audio, limits)
        return StreamSpec(body.stream, decoded.format, participant), decoded.pcm
    form = PcmFormat(body.encoding, body.sample_rate, body.channels)
    check_format(form)
    longest = CHUNK_DURATION_S * form.sample_rate * form.sample_bytes
    if not audio or len(audio) % form.sample_bytes or len(audio) > min(longest, max_bytes):
        raise BadAudio(
            f"A chunk of {len(audio)} bytes is not whole samples of {form.sample_bytes} bytes, "
            f"at least one and at most {CHUNK_DURATION_S} s.",
            {"bytes": len(audio), "sample_bytes": form.sample_bytes, "max": max_bytes},
        )
    return StreamSpec(body.stream, form, participant), audio


FormT = TypeVar("FormT", bound=BaseModel)


def _json_or_list(name: str, text: str) -> object:
    """JSON; for lists also `pt,es`, as forms often have them."""
    if name == "target_languages" and not text.startswith("["):
        return [one.strip() for one in text.split(",") if one.strip()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest(f"{name} is not JSON.", {"field": name}) from None


def _validated(model: type[FormT], fields: object) -> FormT:
    try:
        return model.model_validate(fields)
    except Invalid as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{field or 'body'}: {first['msg']}.", {"field": field}) from None


async def in_time(coming: Awaitable[Answer], timeout_s: float) -> Answer:
    """A body, unless it takes longer than that to come.

    Raises:
        BodyTooSlow: it did.
        Unavailable: the disk has no room for it.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await coming
    except TimeoutError:
        raise BodyTooSlow(
            f"The body did not come within {timeout_s:g} s.",
            {"limit": "upload_timeout_s", "max": timeout_s},
        ) from None
    except OSError as error:
        raise Unavailable(
            f"There is no place for the body: {error.strerror or error}; send it later."
        ) from error
