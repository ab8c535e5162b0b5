"""A process that follows the settings: asks for what is new, twice a second, and takes it up."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import ray
import structlog

from actors.names import COORDINATOR, NAMESPACE, ask
from orchestration.config.models import Settings
from orchestration.errors import OrchestrationError
from orchestration.logs import configure_logs

log = structlog.get_logger(__name__)

ASK_INTERVAL_S = 0.5
"""With the taking up, less than the second within which a change reaches everybody."""

ASK_TIMEOUT_S = 5.0
"""A coordinator that has not answered by then is asked again; the process keeps what it has."""


class SettingsFollower:
    """Gives `take` each version that it finds. What it had stays while nobody answers."""

    def __init__(self, process: str, take: Callable[[int, Settings], Awaitable[None]]) -> None:
        """`process` says what kind of process this is."""
        self._name = f"{process}-{uuid4().hex[:6]}"
        self._take = take
        self._version = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow; once is enough, more do no harm. Wants a running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_following())

    async def look(self) -> bool:
        """Take up what holds now; whether that was news.

        Raises:
            Unavailable: the coordinator is away.
        """
        coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
        async with asyncio.timeout(ASK_TIMEOUT_S):
            answer: tuple[int, Settings] | None = await ask(
                coordinator.settings_after.remote(self._name, self._version), "coordinator"
            )
        if answer is None:
            return False
        version, settings = answer
        configure_logs(settings.log_level)
        await self._take(version, settings)
        self._version = version
        log.info("settings_applied", version=version)
        return True

    async def _keep_following(self) -> None:
        while True:
            try:
                if await self.look():
                    continue  # Asking again says at once what this process has.
            except (OrchestrationError, TimeoutError, ValueError) as error:
                log.debug("settings_not_asked", reason=str(error))
            except Exception:
                log.exception("settings_not_applied")
            await asyncio.sleep(ASK_INTERVAL_S)
