"""Which sessions' actors are there and answer, and what is done about those that do not; a part of
the monitor."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

import ray
import structlog

from actors.names import COORDINATOR, NAMESPACE, ActorGone, ask
from actors.work_watch import WorkWatch
from orchestration.errors import OrchestrationError
from orchestration.services.health import Probe
from orchestration.session.status import TERMINAL

log = structlog.get_logger(__name__)

COORDINATOR_TIMEOUT_S = 5.0
"""Within this the coordinator says which sessions there are."""

PROBE_TIMEOUT_S = 3.0
"""A session's actor that has not answered by then has missed its probe."""

ACTION_TIMEOUT_S = 5.0
"""So long a look waits for the coordinator to act on a session; a session with a pause takes
longer."""

STUCK_AFTER_PROBES = 3
"""Probes a session's actor may miss in a row; then it is stuck, and another takes its place."""


class SessionWatch:
    """Probes the actors of all open sessions, and tells `work` what they are about."""

    def __init__(self, work: WorkWatch) -> None:
        self._work = work
        self._missed: dict[str, int] = {}
        self.statuses: dict[str, str] = {}
        """Of each session by its actor's name; `silent` while it answers no probes."""

    async def look(self, *, acts: bool = True) -> Probe:
        """Probe them once. What died is replaced, and unless nobody `acts`, what is stuck as well.

        Returns:
            Whether all of them answer, as one part of the service.

        Raises:
            Unavailable, TimeoutError, ValueError: the coordinator, who knows and acts, is away.
        """
        coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
        there: Mapping[str, str] = await _within(
            COORDINATOR_TIMEOUT_S, coordinator.open_sessions.remote()
        )
        await asyncio.gather(*(self._look_at(acts, *session) for session in there.items()))
        names = set(there.values())
        self._missed = {name: missed for name, missed in self._missed.items() if name in names}
        self.statuses = {name: self.statuses.get(name, "silent") for name in names}
        self._work.sessions_are(names)
        stuck = [name for name, missed in self._missed.items() if missed >= STUCK_AFTER_PROBES]
        return Probe("sessions", not stuck, 0, detail=f"{len(stuck)} stuck" if stuck else "")

    async def _look_at(self, acts: bool, session_id: str, name: str) -> None:
        try:
            actor = ray.get_actor(name, NAMESPACE)
            figures = await _within(PROBE_TIMEOUT_S, actor.figures.remote())
        except (ActorGone, ValueError):
            await self._see_to("replace", session_id, name)
        except TimeoutError:
            self.statuses[name] = "silent"
            missed = self._missed[name] = self._missed.get(name, 0) + 1
            if missed >= STUCK_AFTER_PROBES:
                log.warning("session_actor_stuck", actor=name, missed_probes=missed)
                if acts:
                    await self._see_to("replace", session_id, name)
        except OrchestrationError as error:
            log.warning("session_probe_failed", actor=name, reason=str(error))
            await self._see_to("session_lost", session_id, name)
        else:
            self._missed.pop(name, None)
            self.statuses[name] = figures["status"]
            self._work.session_told(session_id, name, figures)
            if figures["status"] in TERMINAL:
                await self._see_to("session_finished", session_id)
            elif figures["status"] == "idle":
                await self._see_to("session_lost", session_id, name)

    async def _see_to(self, action: str, session_id: str, *arguments: str) -> None:
        """Have the coordinator act on a session. A failure is nobody else's, nor is an action that
        takes its time: it goes on without being waited for, and the next look asks again."""
        try:
            coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
            act = getattr(coordinator, action).remote(session_id, *arguments)
            await _within(ACTION_TIMEOUT_S, act)
        except (OrchestrationError, TimeoutError, ValueError) as error:
            reason = str(error) or "it takes its time"
            log.warning("session_not_seen_to", action=action, session_id=session_id, reason=reason)


async def _within(timeout_s: float, answer: Awaitable[Any]) -> Any:
    async with asyncio.timeout(timeout_s):
        return await ask(answer, "part")
