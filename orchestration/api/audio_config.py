"""HTTP: what audio passes before whisper hears it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, JsonValue, WithJsonSchema

from orchestration.api.setting_schemas import PRESET_SCHEMA, STAGES_SCHEMA
from orchestration.audio.presets import PRESETS, STAGES, all_stages, stage_json
from orchestration.config.current import CurrentSettings
from orchestration.json_types import JsonObject


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


def audio_config_router(current: CurrentSettings) -> APIRouter:
    """`/api/audio/presets` and `/api/audio/config`."""
    router = APIRouter(prefix="/api/audio", tags=["audio"])

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
