"""Whose work waits, who stopped doing it, and what is done about that; a part of the monitor."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

import ray
import structlog

from actors.dispatcher_figures import TRANSCRIPTION, TRANSLATION, DispatcherFigures
from actors.names import COORDINATOR, DISPATCHER_PREFIX, NAMESPACE, ask, named_actors
from orchestration.config.models import Settings
from orchestration.errors import OrchestrationError
from orchestration.health.alerts import Figure
from orchestration.health.consumption import Consumption, ConsumptionWatch, consumption_figures
from orchestration.services.health import Probe

log = structlog.get_logger(__name__)

DEPLOYMENTS = (TRANSCRIPTION, TRANSLATION)

DISPATCHER_TIMEOUT_S = 5.0
MISSED_PROBES = 3
"""A dispatcher that misses so many probes in a row, each as long as that, has stopped."""

ACTION_TIMEOUT_S = 5.0
"""So long a look waits for the coordinator to act; a session with a pause takes longer."""

EXPIRED_GRACE_MS = 60_000
"""So much longer than it may, a session waits for its bot before somebody else ends it."""


class WorkWatch:
    """Told of each session's figures, it asks the dispatchers for theirs at every look."""

    def __init__(self, settings: Settings) -> None:
        self._watch = ConsumptionWatch(0)
        self.apply(settings)
        self._sessions: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._missed: Counter[str] = Counter()
        self.queues: dict[str, int] = {}
        """What waits now, by the name of the queue."""
        self.figures: tuple[Figure, ...] = ()
        self.stalled: tuple[str, ...] = ()

    def apply(self, settings: Settings) -> None:
        """Judge by these from the next look on."""
        services = settings.services
        stalled_after_s = max(services.stalled_after_s, services.dispatch_timeout_s)
        self._watch.stalled_after_ms = round(stalled_after_s * 1000)
        self._overdue_after_ms = settings.sessions.abandoned_after_s * 1000 + EXPIRED_GRACE_MS

    def session_told(self, session_id: str, actor_name: str, figures: Mapping[str, Any]) -> None:
        """The figures of a running session, as its actor just gave them."""
        if "answers" in figures:
            self._sessions[actor_name] = (session_id, figures)

    def sessions_are(self, actor_names: Iterable[str]) -> None:
        """All sessions' actors there are; of others nothing is remembered."""
        there = set(actor_names)
        self._sessions = {name: told for name, told in self._sessions.items() if name in there}

    @property
    def probe(self) -> Probe:
        """Whether everybody works, as one part of the service."""
        detail = f"stopped: {', '.join(self.stalled[:5])}" if self.stalled else ""
        return Probe("consumers", not self.stalled, 0, detail=detail, is_certain=True)

    async def look(self, now_ms: int, *, can_work: bool, acts: bool = True) -> None:
        """Renew figures and queues, and have acted on who stopped, unless nobody `acts`.

        Without a database nobody `can_work`; everybody has all of the time again once it is back.

        Raises:
            Unavailable: the coordinator, who acts, is away.
        """
        dispatchers = await self._dispatchers()
        consumers = [*self._session_consumers(), *_dispatcher_consumers(dispatchers)]
        silent = [name for name, missed in self._missed.items() if missed >= MISSED_PROBES]
        stopped = self._watch.look(consumers if can_work else (), now_ms)
        self.stalled = (*stopped, *silent)
        # Who answers is told of as well: an alarm of its silence ends with that.
        told = [*consumers, *(Consumption(name, 0, 0) for name in (*dispatchers, *silent))]
        self.figures = (*consumption_figures(told, self.stalled), *self._overdue_figures())
        self.queues = self._queues(dispatchers.values())
        if acts:
            await self._act(dispatchers)

    def _session_consumers(self) -> Iterable[Consumption]:
        for session_id, figures in self._sessions.values():
            waiting = figures["chunks_waiting"] + figures["translations_waiting"]
            # Another incarnation is another consumer, whose time begins anew.
            done = (figures["epoch"] << 32) + figures["answers"]
            yield Consumption(_session(session_id), waiting, done)

    def _overdue_figures(self) -> Iterable[Figure]:
        for session_id, figures in self._sessions.values():
            is_overdue = figures["senderless_ms"] >= self._overdue_after_ms
            yield Figure("overdue", _session(session_id), int(is_overdue))

    def _queues(self, dispatchers: Iterable[DispatcherFigures]) -> dict[str, int]:
        queues = Counter(
            chunks_waiting=0, translations_waiting=0, database_waiters=0, calls_under_way=0
        )
        for _, figures in self._sessions.values():
            for name in ("chunks_waiting", "translations_waiting", "database_waiters"):
                queues[name] += figures[name]
        for one in dispatchers:
            queues["calls_under_way"] += sum(one.under_way.values())
            queues["calls_lost"] += one.lost
        return dict(queues)

    async def _act(self, dispatchers: Iterable[str]) -> None:
        coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
        stopped = set(self.stalled)
        actions: list[Awaitable[Any]] = []
        for name, (session_id, figures) in self._sessions.items():
            if _session(session_id) in stopped:
                log.warning("session_stopped_consuming", session_id=session_id, actor=name)
                actions.append(coordinator.replace.remote(session_id, name))
            elif figures["senderless_ms"] >= self._overdue_after_ms:
                actions.append(coordinator.session_expired.remote(session_id, name))
        # At once: one by one, many that stopped together would keep the monitor from looking.
        await asyncio.gather(*map(self._bounded, actions))
        for name in {*dispatchers, *self._missed}:
            calls = [_calls(name, deployment) for deployment in DEPLOYMENTS]
            if stopped.isdisjoint({name, *calls}):
                continue
            node_id = name.removeprefix(DISPATCHER_PREFIX)
            if await self._bounded(coordinator.restart_dispatcher.remote(node_id)):
                del self._missed[name]
                for consumer in calls:
                    self._watch.forget(consumer)

    @staticmethod
    async def _bounded(action: Awaitable[Any]) -> Any:
        """The coordinator's answer; None when it takes longer, and goes on without being waited
        for."""
        try:
            async with asyncio.timeout(ACTION_TIMEOUT_S):
                return await ask(action, "coordinator")
        except TimeoutError:
            return None

    async def _dispatchers(self) -> dict[str, DispatcherFigures]:
        """The figures of all that answer; it is counted who misses how many in a row."""
        names = named_actors(DISPATCHER_PREFIX)
        answers = await asyncio.gather(*map(self._ask_dispatcher, names))
        self._missed = Counter({name: self._missed[name] for name in names if self._missed[name]})
        return {
            name: answer for name, answer in zip(names, answers, strict=True) if answer is not None
        }

    async def _ask_dispatcher(self, name: str) -> DispatcherFigures | None:
        try:
            async with asyncio.timeout(DISPATCHER_TIMEOUT_S):
                dispatcher = ray.get_actor(name, NAMESPACE)
                figures: DispatcherFigures = await ask(dispatcher.consumption.remote(), name)
        except TimeoutError:
            self._missed[name] += 1
            log.warning("dispatcher_silent", dispatcher=name, missed_probes=self._missed[name])
            return None
        except (OrchestrationError, ValueError):
            # Dead or starting: Ray, or the coordinator, has it started.
            return None
        del self._missed[name]
        return figures


def _session(session_id: str) -> str:
    return f"session {session_id}"


def _calls(dispatcher: str, deployment: str) -> str:
    return f"{deployment} by way of {dispatcher}"


def _dispatcher_consumers(
    dispatchers: Mapping[str, DispatcherFigures],
) -> Iterable[Consumption]:
    for name, figures in dispatchers.items():
        for deployment in DEPLOYMENTS:
            yield Consumption(
                _calls(name, deployment),
                figures.under_way[deployment],
                figures.answered[deployment],
            )
