"""HTTP: the settings that hold, what clients need of them, and whether other ones would do."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, JsonValue

import orchestration
from orchestration.api.settings_views import ChangeView, changes
from orchestration.audio.presets import PRESETS
from orchestration.config.current import CurrentSettings
from orchestration.config.differences import differences, without_secrets
from orchestration.config.layers import Layers
from orchestration.config.loader import check_safe, validated
from orchestration.config.models import Settings
from orchestration.config.reach import Reach, rule_for
from orchestration.config.service_models import ServicesSettings
from orchestration.config.versions import SettingsBook, faults_of
from orchestration.errors import ConfigurationError, SettingsRefused, Unavailable
from orchestration.json_types import JsonObject
from orchestration.services.settings_desk import SettingsControl, SettingsState
from orchestration.session.events import iso_utc


class FaultView(BaseModel):
    """A setting that does not fit, and why."""

    setting: str
    reason: str


class AppliedView(BaseModel):
    """A process, and the version of the settings by which it works; `at` is when it said so."""

    process: str
    version: int
    at: str


class SettingsView(BaseModel):
    """All settings that hold, without secrets, and those among them that are not the default.

    `stored` are those changed by the API, over the file and the environment. `after_restart` is
    what the file says otherwise, for the next start. `fault` says why the file, or what is stored,
    is not followed; what held before holds on. `applied` tells who has which version; it is empty
    while the coordinator is away.
    """

    version: int
    settings: dict[str, JsonValue]
    changed: list[ChangeView]
    stored: dict[str, JsonValue]
    after_restart: list[ChangeView]
    config_file: str | None
    fault: str | None
    applied: list[AppliedView]


class SettingsProposal(BaseModel):
    """Settings to lay over those that hold; unknown fields beside them are ignored."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"settings": {"sessions": {"chunking": {"chunk_ms": 5000}}}}}
    )

    settings: dict[str, JsonValue]


class ProposedChangeView(ChangeView):
    """One setting that would change, and how far that reaches while the service runs.

    `now`: what runs goes on with it. `next`: sessions or connections that begin later have it.
    `restart`: it waits for a start of the service. `why` says why no further.
    """

    reach: Reach
    why: str


class ValidationView(BaseModel):
    """Whether a service would start with settings: all that does not fit, or all that they would
    change. `refused` is what `POST /api/settings` would refuse of them while the service runs."""

    valid: bool
    faults: list[FaultView]
    changes: list[ProposedChangeView]
    refused: list[FaultView]


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


def settings_router(current: CurrentSettings, control: SettingsControl) -> APIRouter:
    """`GET` of `/api/config` and `/api/settings`, and whether other settings would do."""
    router = APIRouter(prefix="/api", tags=["configuration"])

    @router.get("/config")
    async def config() -> ClientConfig:
        """What a page or a bot needs to know before it starts."""
        return _client_config(current.now)

    @router.get("/settings")
    async def settings(response: Response) -> SettingsView:
        """The settings that hold, secrets hidden, and where they come from."""
        try:
            state = await control.state()
        except Unavailable:
            state = SettingsState(current.version, current.now, {}, (), None, None)
        response.headers["ETag"] = f'"{state.version}"'
        return _settings_view(state)

    @router.post("/settings/validate")
    async def validate(body: SettingsProposal) -> ValidationView:
        """Whether settings, laid over those that hold, would do, and how far each would reach.
        Nothing is changed.

        A value of an object is laid over the one that holds key by key; lists are taken whole.
        """
        try:
            proposed = validated(current.now.model_dump(mode="json"), body.settings)
            check_safe(proposed)
        except ConfigurationError as error:
            return ValidationView(valid=False, faults=_faults(error), changes=[], refused=[])
        return ValidationView(
            valid=True,
            faults=[],
            changes=[_proposed(one) for one in changes(differences(current.now, proposed))],
            refused=_refused(current.now, body.settings),
        )

    return router


def _faults(error: ConfigurationError | SettingsRefused) -> list[FaultView]:
    return [FaultView(setting=name, reason=why) for name, why in faults_of(error).items()]


def _proposed(change: ChangeView) -> ProposedChangeView:
    rule = rule_for(change.setting)
    return ProposedChangeView(**change.model_dump(), reach=rule.reach, why=rule.why)


def _refused(held: Settings, patch: JsonObject) -> list[FaultView]:
    try:
        SettingsBook(Layers.of(held)).patched(patch)
    except SettingsRefused as error:
        return _faults(error)
    return []


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


def _settings_view(state: SettingsState) -> SettingsView:
    held = state.settings
    return SettingsView(
        version=state.version,
        settings=without_secrets(held),
        changed=changes(differences(Settings(data_dir=held.data_dir), held)),
        stored=state.overrides,
        after_restart=changes(state.after_restart),
        config_file=state.config_file,
        fault=state.fault,
        applied=[
            AppliedView(process=one.process, version=one.version, at=iso_utc(one.unix_ms))
            for one in state.applied
        ],
    )
