"""The coordinator's part in settings: keeps them, and has every process work by them.

Session actors are told, again and again until they have answered; replicas and supervisors ask,
and say by that which version they have. So nothing rests on a message that may be lost.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ray
import structlog

from actors.names import NAMESPACE, ask
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.config.session_values import session_values
from orchestration.config.versions import SettingsVersion
from orchestration.errors import OrchestrationError, Unavailable
from orchestration.process_clock import unix_time_ms
from orchestration.services.settings_desk import (
    AppliedSettings,
    SettingsChange,
    SettingsDesk,
    SettingsState,
)
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_settings import PostgresSettings

log = structlog.get_logger(__name__)

TELL_INTERVAL_S = 0.2
"""How often it is seen to that every session's actor has been told."""

TELL_TIMEOUT_S = 5.0
"""An actor that has not answered by then is told again."""

FILE_INTERVAL_S = 1.0
"""How often the configuration file is looked at."""

FORGOTTEN_AFTER_MS = 10_000
"""A process that has not asked for so long is gone."""


class LatelyAsked:
    """Who has asked for the settings of late, and what they had applied."""

    def __init__(self) -> None:
        self._by_process: dict[str, AppliedSettings] = {}

    def __len__(self) -> int:
        return len(self._by_process)

    def add(self, asked: AppliedSettings) -> None:
        """Somebody asks now. Who is gone is forgotten here: each life of a process has a name of
        its own, and perhaps nobody ever looks."""
        self._by_process[asked.process] = asked
        self._forget(asked.unix_ms)

    def lately(self, now_unix_ms: int) -> list[AppliedSettings]:
        """Those that are there, by name."""
        self._forget(now_unix_ms)
        return sorted(self._by_process.values(), key=lambda one: one.process)

    def _forget(self, now_unix_ms: int) -> None:
        self._by_process = {
            name: one
            for name, one in self._by_process.items()
            # Either way: a clock that was set back must keep nobody who is gone.
            if abs(now_unix_ms - one.unix_ms) < FORGOTTEN_AFTER_MS
        }


class SettingsKeeper:
    """Settings, their file, and who has applied them."""

    def __init__(
        self,
        layers: Layers,
        apply: Callable[[int, Settings], None],
        session_actors: Callable[[], Iterable[str]],
    ) -> None:
        """`apply` is told of each version first; `session_actors` names those there are now."""
        self._layers = layers
        self._apply = apply
        self._session_actors = session_actors
        self._store: PostgresSettings | None = None
        self._desk: SettingsDesk | None = None
        self._changed = asyncio.Event()
        self._told: dict[str, AppliedSettings] = {}
        self._asked = LatelyAsked()
        self._telling: dict[str, asyncio.Task[None]] = {}

    async def begin(self, pool: Pool) -> None:
        """Take up what is stored.

        Raises:
            DatabaseUnavailable: ask again.
        """
        store = PostgresSettings(pool)
        desk = SettingsDesk(self._layers, store, self._take)
        await desk.restore()
        self._store, self._desk = store, desk

    async def run(self) -> None:
        """Tell session actors, for ever."""
        while True:
            try:
                self._tell_all()
            except Exception as error:
                log.warning("settings_not_told", reason=str(error))
            try:
                async with asyncio.timeout(TELL_INTERVAL_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()

    async def watch_file(self) -> None:
        """Follow the configuration file, for ever."""
        while True:
            try:
                await self._ready().look_at_file()
            except Exception as error:
                log.warning("settings_file_not_followed", reason=str(error))
            await asyncio.sleep(FILE_INTERVAL_S)

    def state(self) -> SettingsState:
        """The settings and who has them."""
        desk, now_ms = self._ready(), unix_time_ms()
        here = AppliedSettings("coordinator", desk.version, now_ms)
        asked = self._asked.lately(now_ms)
        there = set(self._session_actors())
        told = [one for name, one in self._told.items() if name in there]
        return desk.state((here, *asked, *told))

    def refused(self) -> dict[str, bool]:
        """See `SettingsDesk.refused`; nothing while the settings are not read yet."""
        return {} if self._desk is None else self._desk.refused

    async def change(self, change: SettingsChange) -> SettingsVersion:
        """See `SettingsDesk.change`."""
        return await self._ready().change(change)

    async def history(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        """See `SettingsStore.versions_page`."""
        self._ready()
        assert self._store is not None, "it is there with the desk"
        return await self._store.versions_page(before, limit)

    def after(self, process: str, version: int) -> tuple[int, Settings] | None:
        """What holds, unless that is the version that this process has applied."""
        desk = self._ready()
        self._asked.add(AppliedSettings(process, version, unix_time_ms()))
        return None if version == desk.version else (desk.version, desk.settings)

    def _ready(self) -> SettingsDesk:
        if self._desk is None:
            raise Unavailable("The settings are not read yet; ask again.")
        return self._desk

    def _take(self, version: int, settings: Settings) -> None:
        self._apply(version, settings)
        self._changed.set()

    def _tell_all(self) -> None:
        desk = self._ready()
        there = set(self._session_actors())
        self._told = {name: one for name, one in self._told.items() if name in there}
        behind = [
            name
            for name in there - self._telling.keys()
            if name not in self._told or self._told[name].version != desk.version
        ]
        if not behind:
            return
        values, level = session_values(desk.settings), desk.settings.log_level
        for name in behind:
            telling = asyncio.create_task(self._tell(name, desk.version, values, level))
            self._telling[name] = telling

    async def _tell(self, name: str, version: int, *values: object) -> None:
        try:
            actor: Any = ray.get_actor(name, NAMESPACE)
            async with asyncio.timeout(TELL_TIMEOUT_S):
                applied = await ask(actor.apply.remote(version, *values), "session's actor")
            self._told[name] = AppliedSettings(name, applied, unix_time_ms())
        except (OrchestrationError, TimeoutError, ValueError) as error:
            # It may be gone, and is not among those to be told then.
            log.debug("session_actor_not_told", actor=name, reason=str(error))
        finally:
            del self._telling[name]
            desk = self._ready()
            if name in self._told and self._told[name].version != desk.version:
                self._changed.set()
