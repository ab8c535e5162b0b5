"""The bodies of uploads and chunks, as the reference shows them."""

from typing import Any

from orchestration.api.audio_forms import ChunkForm, UploadConfig
from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.api.sessions import MAX_TARGET_LANGUAGES
from orchestration.api.setting_schemas import OVERRIDES_SCHEMA
from orchestration.audio.pcm import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from orchestration.session.fields import MAX_INTEGER, MAX_STREAM

_FILE = {"type": "string", "format": "binary"}
_SESSION_ID = {"type": "string", "pattern": SESSION_ID_PATTERN, "example": "weekly"}
_LANGUAGE = {"type": "string", "pattern": "^[a-z]{2,3}$", "example": "en"}
_JSON_PART = {"contentType": "application/json"}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a model with its one level of definitions put in place."""
    definitions = schema.pop("$defs", {})
    for one in schema["properties"].values():
        one["anyOf"] = [
            definitions[choice["$ref"].rpartition("/")[2]] if "$ref" in choice else choice
            for choice in one.get("anyOf", [])
        ]
        if not one["anyOf"]:
            del one["anyOf"]
    return schema


def _config() -> dict[str, Any]:
    schema = _inlined(UploadConfig.model_json_schema())
    schema["properties"]["settings"] = OVERRIDES_SCHEMA
    return {**schema, "example": {"title": "Interview"}}


def _chunk_json() -> dict[str, Any]:
    schema = _inlined(ChunkForm.model_json_schema())
    schema["properties"] |= {
        "sample_rate": _SAMPLE_RATE,
        "channels": _CHANNELS,
        "audio_data": {"type": "string", "format": "byte", "minLength": 1},
    }
    schema["required"].append("audio_data")
    return schema


_SAMPLE_RATE = {
    "type": "integer",
    "minimum": MIN_SAMPLE_RATE,
    "maximum": MAX_SAMPLE_RATE,
    "default": 16000,
}
_CHANNELS = {"type": "integer", "minimum": 1, "maximum": MAX_CHANNELS, "default": 1}

UPLOAD_SCHEMA: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": _FILE,
                        "session_id": _SESSION_ID,
                        "language": _LANGUAGE,
                        "target_languages": {
                            "type": "array",
                            "items": _LANGUAGE,
                            "maxItems": MAX_TARGET_LANGUAGES,
                            "example": ["pt"],
                        },
                        "transcription": {"type": "boolean", "default": True},
                        "speaker_diarization": {"type": "boolean", "default": True},
                        "config": _config(),
                    },
                },
                "encoding": {"target_languages": _JSON_PART, "config": _JSON_PART},
            }
        },
    }
}
CHUNK_SCHEMA: dict[str, object] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _chunk_json()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "session_id", "sequence"],
                    "properties": {
                        "file": _FILE,
                        "session_id": _SESSION_ID,
                        "stream": {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": MAX_STREAM,
                            "default": 0,
                        },
                        "sequence": {
                            "type": "integer",
                            "minimum": 0,
                            "maximum": MAX_INTEGER,
                            "example": 0,
                        },
                        "encoding": {
                            "type": "string",
                            "enum": ["s16le", "f32le", "file"],
                            "default": "s16le",
                        },
                        "sample_rate": _SAMPLE_RATE,
                        "channels": _CHANNELS,
                    },
                }
            },
        },
    }
}
