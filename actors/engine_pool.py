"""The pool of a deployment: its engines from settings, and from Serve's `user_config` later."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol

import structlog
from pydantic import TypeAdapter, ValidationError

from actors.names import ask
from actors.reports import Reports
from actors.settings_follower import SettingsFollower
from orchestration.config.models import Settings
from orchestration.config.service_models import BalancingSettings, UpstreamSettings
from orchestration.errors import ConfigurationError, EngineError, Unavailable
from orchestration.services.balancing.limits import LimitBounds
from orchestration.services.pool_members import EngineT, PoolPolicy, WeightedEngine
from orchestration.services.ports import (
    Diarization,
    EngineDescription,
    EngineStatus,
    Hypothesis,
    TranscriptionRequest,
    TranslationRequest,
)

EMBEDDED = UpstreamSettings(kind="embedded")
"""What serves where no service is named."""

CHECK_TIMEOUT_S = 3.0
"""An embedded engine says how it is without listening; where none is there, Serve lets one wait
for the next, and other engines' probes must not."""

_log = structlog.get_logger(__name__)
_upstreams = TypeAdapter(tuple[UpstreamSettings, ...])


class Pool(Protocol[EngineT]):
    """Several engines as one, which may change while requests are under way."""

    async def apply(self, upstreams: Sequence[WeightedEngine[EngineT]]) -> None: ...

    def tune(self, *, timeout_s: float, tries: int, policy: PoolPolicy) -> None: ...

    async def check_each(self) -> tuple[EngineStatus, ...]: ...

    async def describe_each(self) -> tuple[EngineDescription, ...]: ...

    async def close(self) -> None: ...


class HandleEngine:
    """An engine in a deployment of its own, behind the port that remote ones have too."""

    name = "embedded"

    def __init__(self, handle: Any, called: str = name) -> None:
        """`called` is its name until it has said one."""
        self._handle = handle
        self._called = called

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        hypothesis: Hypothesis = await self._ask("transcribe", request)
        return hypothesis

    async def diarize(self, request: TranscriptionRequest) -> Diarization:
        diarization: Diarization = await self._ask("diarize", request)
        return diarization

    async def translate(self, request: TranslationRequest) -> str:
        text: str = await self._ask("translate", request)
        return text

    async def check(self) -> EngineStatus:
        """What it says of itself, or that it says nothing, under the name that it last gave."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                status: EngineStatus = await self._ask("check")
        except TimeoutError:
            detail = f"did not answer within {CHECK_TIMEOUT_S:g} s"
            return EngineStatus(self._called, "embedded", False, 0, detail)
        except EngineError as error:
            return EngineStatus(self._called, "embedded", False, 0, error.message)
        self._called = status.name
        return status

    async def describe(self) -> EngineDescription:
        try:
            description: EngineDescription = await self._ask("describe")
        except EngineError as error:
            return EngineDescription(self.name, "embedded", error=error.message)
        return description

    async def close(self) -> None:
        return

    async def _ask(self, method: str, *arguments: object) -> Any:
        try:
            return await ask(getattr(self._handle, method).remote(*arguments), "embedded engine")
        except Unavailable as error:
            raise EngineError(error.message) from error


class EngineChoice(Generic[EngineT]):
    """Engines for upstreams, as `make` makes them; who stays in the pool stays the same engine."""

    def __init__(
        self,
        make: Callable[[UpstreamSettings, float], tuple[str, EngineT]],
        upstreams: Sequence[UpstreamSettings],
        timeout_s: float,
    ) -> None:
        """`make` gives an engine that has `timeout_s` for a request, and its name, which holds no
        credentials. An upstream that comes later without a key of its own has the one of its URL
        in `upstreams`."""
        self._make = make
        self._keys = {one.url: one.api_key for one in upstreams}
        self._timeout_s = timeout_s
        self._upstreams = tuple(upstreams)
        self._made: dict[UpstreamSettings, WeightedEngine[EngineT]] = {}
        self.engines = self._choose(upstreams)

    async def reconfigure(self, pool: Pool[EngineT], user_config: object) -> None:
        """Give the pool the `upstreams` of a deployment's user_config, without losing a request.

        A configuration that will not do is logged, and the pool stays as it was: were it raised,
        Serve would end the replica and all that it has under way.
        """
        before = self._made
        try:
            upstreams = _read(user_config)
            engines = self._choose(upstreams)
            await pool.apply(engines)
        except ConfigurationError as error:
            self._made = before
            _log.error("pool_not_changed", reason=error.message)
            return
        self._upstreams, self.engines = upstreams, engines
        _log.info("pool_changed", services={one.name: one.weight for one in engines})

    async def retime(self, pool: Pool[EngineT], timeout_s: float) -> None:
        """Have the same services in the pool with so long for a request. Those under way keep the
        time they had, and their connections."""
        if timeout_s == self._timeout_s:
            return
        before = self._timeout_s, self._made
        self._timeout_s, self._made = timeout_s, {}
        try:
            engines = self._choose(self._upstreams)
            await pool.apply(engines)
        except Exception:
            # Whoever follows the settings tries again.
            self._timeout_s, self._made = before
            raise
        self.engines = engines

    def _choose(self, upstreams: Sequence[UpstreamSettings]) -> list[WeightedEngine[EngineT]]:
        made: dict[UpstreamSettings, WeightedEngine[EngineT]] = {}
        engines = []
        for upstream in upstreams or (EMBEDDED,):
            key = upstream.api_key or self._keys.get(upstream.url)
            same = upstream.model_copy(update={"weight": 1, "api_key": key})
            if same not in made:
                made[same] = self._made.get(same) or WeightedEngine(
                    *self._make(same, self._timeout_s)
                )
            one = made[same]
            engines.append(WeightedEngine(one.name, one.engine, upstream.weight))
        self._made = made
        return engines


class EnginePool(Generic[EngineT]):
    """What the deployments of both pools have in common."""

    def __init__(
        self,
        name: str,
        choice: EngineChoice[EngineT],
        pool: Pool[EngineT],
        reports: Reports,
        settings: Settings,
    ) -> None:
        """`name` is the pool's among the services, `whisper` or `translation`."""
        self._name = name
        self._upstreams = self._upstreams_of(settings)
        self._follower = SettingsFollower(f"{name}-pool", self._take)
        self._choice = choice
        self._pool = pool
        self._reports = reports

    async def reconfigure(self, user_config: object) -> None:
        """Serve calls this with the deployment's `user_config`, at the start and when it changes:
        `{"upstreams": [...]}` as in `services.whisper` or `services.translation`."""
        await self._choice.reconfigure(self._pool, user_config)

    async def check(self) -> tuple[EngineStatus, ...]:
        """The health of every service in the pool."""
        return await self._pool.check_each()

    async def describe(self) -> tuple[EngineDescription, ...]:
        """What every service in the pool says of itself."""
        return await self._pool.describe_each()

    async def check_health(self) -> None:
        """Serve calls this from the replica's start on: it reports, and follows the settings."""
        self._reports.start()
        self._follower.start()

    async def _take(self, version: int, settings: Settings) -> None:
        services = settings.services
        policy = pool_policy(services.balancing)
        self._pool.tune(timeout_s=services.timeout_s, tries=services.tries, policy=policy)
        await self._choice.retime(self._pool, services.timeout_s)
        upstreams = self._upstreams_of(settings)
        if upstreams != self._upstreams:
            await self.reconfigure({"upstreams": [one.model_dump() for one in upstreams]})
            # After it: what fails is tried again.
            self._upstreams = upstreams

    def _upstreams_of(self, settings: Settings) -> tuple[UpstreamSettings, ...]:
        upstreams: tuple[UpstreamSettings, ...] = getattr(settings.services, self._name)
        return upstreams

    async def close(self) -> None:
        """Close the connections of all services."""
        await self._pool.close()


def pool_policy(settings: BalancingSettings) -> PoolPolicy:
    """How a pool deals, by the settings."""
    bounds = LimitBounds(settings.fewest_at_once, settings.most_at_once, settings.initial_at_once)
    return PoolPolicy(
        limits=bounds if settings.adaptive_limit else None,
        max_waiting=settings.max_waiting,
        least_latency=settings.policy == "least_latency",
        hedge=settings.hedge,
        eject_after=settings.eject_after,
    )


def _read(user_config: object) -> tuple[UpstreamSettings, ...]:
    if not isinstance(user_config, Mapping) or set(user_config) != {"upstreams"}:
        raise ConfigurationError("A pool's user_config has one key, upstreams: a list of services.")
    try:
        return _upstreams.validate_python(user_config["upstreams"])
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ConfigurationError("; ".join(faults)) from None
