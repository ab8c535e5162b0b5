"""HTTP: the settings that hold, what clients need of them, and whether other ones would do."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, JsonValue

import orchestration
from orchestration.audio.presets import PRESETS
from orchestration.config.differences import Difference, differences, without_secrets
from orchestration.config.loader import check_safe, validated
from orchestration.config.models import ServicesSettings, Settings
from orchestration.errors import ConfigurationError


class ChangeView(BaseModel):
    """One setting by its dotted place; secrets are hidden."""

    setting: str
    before: JsonValue
    after: JsonValue


class FaultView(BaseModel):
    """A setting that does not fit, and why."""

    setting: str
    reason: str


class SettingsView(BaseModel):
    """All settings that hold, without secrets, and those among them that are not the default."""

    settings: dict[str, JsonValue]
    changed: list[ChangeView]


class SettingsProposal(BaseModel):
    """Settings to lay over those that hold; unknown fields beside them are ignored."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"settings": {"sessions": {"chunking": {"chunk_ms": 5000}}}}}
    )

    settings: dict[str, JsonValue]


class ValidationView(BaseModel):
    """Whether settings would do: all that does not fit, or all that they would change."""

    valid: bool
    faults: list[FaultView]
    changes: list[ChangeView]


class ServiceView(BaseModel):
    """A pool of services: where the gateway has it, and what is in it."""

    url: str
    kind: Literal["embedded", "upstreams"]
    upstreams: int


class ClientConfig(BaseModel):
    """What a page or a bot needs to know before it starts."""

    version: str
    services: dict[Literal["whisper", "translation"], ServiceView]
    features: dict[str, bool]
    audio_settings: dict[str, JsonValue]
    session_settings: dict[str, JsonValue]
    ingest_limits: dict[str, JsonValue]
    live_limits: dict[str, JsonValue]


def settings_router(settings: Settings) -> APIRouter:
    """`/api/config` and `/api/settings`."""
    router = APIRouter(prefix="/api", tags=["configuration"])

    @router.get("/config")
    async def config() -> ClientConfig:
        """What a page or a bot needs to know before it starts."""
        return _client_config(settings)

    @router.get("/settings")
    async def current() -> SettingsView:
        """The settings this service was started with, secrets hidden."""
        defaults = Settings(data_dir=settings.data_dir)
        return SettingsView(
            settings=without_secrets(settings), changed=_changes(differences(defaults, settings))
        )

    @router.post("/settings/validate")
    async def validate(body: SettingsProposal) -> ValidationView:
        """Whether settings, laid over those that hold, would do. Nothing is changed.

        A value of an object is laid over the one that holds key by key; lists are taken whole.
        """
        try:
            proposed = validated(settings.model_dump(mode="json"), body.settings)
            check_safe(proposed)
        except ConfigurationError as error:
            faults = error.facts["faults"]
            assert isinstance(faults, dict)
            return ValidationView(
                valid=False,
                faults=[FaultView(setting=name, reason=str(why)) for name, why in faults.items()],
                changes=[],
            )
        return ValidationView(
            valid=True, faults=[], changes=_changes(differences(settings, proposed))
        )

    return router


def _client_config(settings: Settings) -> ClientConfig:
    services = settings.services
    audio = settings.audio.model_dump(mode="json", exclude={"preset"})
    return ClientConfig(
        version=orchestration.__version__,
        services={
            "whisper": _service("whisper", services),
            "translation": _service("translation", services),
        },
        features={
            "recordings": settings.sessions.record,
            "api_key": settings.server.api_key_sha256 is not None,
        },
        audio_settings={"preset": settings.audio.preset, "presets": list(PRESETS), **audio},
        session_settings=settings.sessions.chunking.model_dump(),
        ingest_limits=settings.ingest.model_dump(),
        live_limits=settings.live.model_dump(),
    )


def _service(name: Literal["whisper", "translation"], services: ServicesSettings) -> ServiceView:
    upstreams = len(getattr(services, name))
    return ServiceView(
        url=f"/api/{name}", kind="upstreams" if upstreams else "embedded", upstreams=upstreams
    )


def _changes(found: tuple[Difference, ...]) -> list[ChangeView]:
    return [ChangeView(setting=one.place, before=one.before, after=one.after) for one in found]
