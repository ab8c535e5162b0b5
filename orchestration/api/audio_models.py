"""HTTP: which models and devices the services behind have."""

from collections.abc import Sequence
from typing import Literal, Protocol

from fastapi import APIRouter
from pydantic import BaseModel

from orchestration.services.ports import EngineDescription


class EngineDirectory(Protocol):
    """What the services behind say of themselves."""

    async def describe(
        self,
    ) -> tuple[Sequence[EngineDescription], Sequence[EngineDescription]]:
        """The whisper pool's services, and the translation pool's; never raises EngineError."""
        ...


class ModelOfView(BaseModel):
    """A model, and the service that has it."""

    name: str
    service: str
    kind: str


class DeviceView(BaseModel):
    """What a service runs on, as far as it says."""

    service: str
    kind: str
    device: str | None
    device_type: str | None
    acceleration: str | None
    status: Literal["online", "unavailable"]
    error: str | None


class PoolDevicesView(BaseModel):
    """The first service that says what it runs on, and each of them."""

    device: str | None
    device_type: str | None
    acceleration: str | None
    status: Literal["online", "partial", "unavailable"]
    error: str | None
    details: list[DeviceView]


class DeviceInfoView(BaseModel):
    """Devices by pool."""

    audio_service: PoolDevicesView
    translation_service: PoolDevicesView


class AudioModelsView(BaseModel):
    """Models of all whisper services together. `status` is `partial` when one of them could not be
    asked, `unavailable` when none could; `errors` says which, and why."""

    status: Literal["success", "partial", "unavailable"]
    service: str = "whisper"
    available_models: list[str]
    models: list[ModelOfView]
    total_models: int
    device_info: DeviceInfoView
    errors: dict[str, str]


def models_router(directory: EngineDirectory) -> APIRouter:
    """`/api/audio/models`."""
    router = APIRouter(prefix="/api/audio", tags=["audio"])

    @router.get("/models")
    async def models() -> AudioModelsView:
        """The models of all whisper services, and what both pools run on."""
        return _view(*await directory.describe())

    return router


def _view(
    whisper: Sequence[EngineDescription], translation: Sequence[EngineDescription]
) -> AudioModelsView:
    listed = [
        ModelOfView(name=model, service=one.name, kind=one.kind)
        for one in whisper
        for model in one.models
    ]
    names = list(dict.fromkeys(one.name for one in listed))
    devices = DeviceInfoView(
        audio_service=_devices(whisper), translation_service=_devices(translation)
    )
    status = devices.audio_service.status
    return AudioModelsView(
        status="success" if status == "online" else status,
        available_models=names,
        models=listed,
        total_models=len(names),
        device_info=devices,
        errors={one.name: one.error for one in (*whisper, *translation) if one.error},
    )


def _devices(pool: Sequence[EngineDescription]) -> PoolDevicesView:
    down = [one for one in pool if one.error]
    known = next((one for one in pool if one.device), None)
    status: Literal["online", "partial", "unavailable"] = "partial" if down else "online"
    return PoolDevicesView(
        device=known.device if known else None,
        device_type=known.device_type if known else None,
        acceleration=known.acceleration if known else None,
        status="unavailable" if len(down) == len(pool) else status,
        error=down[0].error if down else None,
        details=[
            DeviceView(
                service=one.name,
                kind=one.kind,
                device=one.device,
                device_type=one.device_type,
                acceleration=one.acceleration,
                status="unavailable" if one.error else "online",
                error=one.error or None,
            )
            for one in pool
        ],
    )
