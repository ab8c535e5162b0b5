"""JSON Schemas of what sessions may set for themselves."""

from orchestration.audio.presets import MAX_GAIN_DB, PRESETS, STAGES, Parameter
from orchestration.config.models import ChunkingSettings
from orchestration.json_types import JsonObject, JsonValue

_GAIN: JsonObject = {"type": "number", "minimum": -MAX_GAIN_DB, "maximum": MAX_GAIN_DB}


def _closed(properties: JsonObject) -> JsonObject:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _parameter(one: Parameter) -> JsonValue:
    return {
        "type": "number",
        "minimum": one.least,
        "maximum": one.most,
        "default": one.default,
        "description": one.unit,
    }


PRESET_SCHEMA: JsonObject = {"type": "string", "enum": list(PRESETS), "default": "default"}
STAGES_SCHEMA: JsonObject = _closed(
    {
        stage: _closed(
            {
                "enabled": {"type": "boolean"},
                "gain_in_db": _GAIN,
                "gain_out_db": _GAIN,
                "parameters": _closed({name: _parameter(one) for name, one in parameters.items()}),
            }
        )
        for stage, parameters in STAGES.items()
    }
)
OVERRIDES_SCHEMA: JsonObject = {
    **_closed(
        {
            **ChunkingSettings.model_json_schema()["properties"],
            "audio": _closed({"preset": PRESET_SCHEMA, "stages": STAGES_SCHEMA}),
        }
    ),
    "description": "What differs from the service's chunking, and the stages before whisper.",
}
