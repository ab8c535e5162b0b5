"""The form of OpenAI's transcription API: its fields beside the file, read and described."""

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData

from orchestration.errors import BadRequest

MAX_PROMPT_CHARACTERS = 2_000
LANGUAGE_PATTERN = r"^[A-Za-z]{2,3}$"

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
Granularity = Literal["word", "segment"]


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
    granularities: list[Granularity] = Field(
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


def transcription_form(form: FormData) -> TranscriptionForm:
    """The fields of a request.

    Raises:
        BadRequest: one is malformed; `param` names it.
    """
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
