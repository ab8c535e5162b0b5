"""The coordinator's sweep: what has to be there is started, what has to go is ended."""

import asyncio
import contextlib

import ray
import structlog

from actors.dispatchers import ensure_dispatchers
from actors.names import HEALTH_MONITOR, NAMESPACE, SESSION_PREFIX, named_actors
from actors.placement import Placement
from orchestration.config.current import CurrentSettings
from orchestration.errors import OrchestrationError

log = structlog.get_logger(__name__)

SWEEP_INTERVAL_S = 5.0
"""How often dispatchers, warm actors and ended sessions are looked after."""


class Oversight:
    """Looks after the dispatchers, the health monitor and the sessions' actors."""

    def __init__(self, application: str, current: CurrentSettings, placement: Placement) -> None:
        """`application` is the Serve application with the engines' deployments."""
        self._application = application
        self._current = current
        self._placement = placement

    def ensure_dispatchers(self) -> None:
        """Start those that are missing."""
        ensure_dispatchers(self._application, self._current.now.services.dispatch_timeout_s)

    async def run(self) -> None:
        """Sweep, for ever."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            try:
                await self._sweep()
            except OrchestrationError as error:
                log.warning("sweep_failed", reason=error.message)
            except Exception:
                log.exception("sweep_failed")

    async def _sweep(self) -> None:
        self.ensure_dispatchers()
        _have_the_monitor_watch()
        self._placement.dismiss_ended()
        self._placement.end_leaked(named_actors(SESSION_PREFIX))
        await self._placement.place_homeless()
        self._placement.top_up()


def _have_the_monitor_watch() -> None:
    """Its restart by Ray is a mailbox that nobody may write to for hours."""
    with contextlib.suppress(ValueError):
        ray.get_actor(HEALTH_MONITOR, NAMESPACE).watch.remote()
