"""The actors that have sessions or wait for one: how they start, are kept warm, found and ended."""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any

import ray
import structlog

from actors.names import NAMESPACE, SESSION_PREFIX, ActorGone, ask
from actors.session_actor import SessionActor
from orchestration.config.current import CurrentSettings
from orchestration.config.session_values import session_values
from orchestration.errors import OrchestrationError, Unavailable

log = structlog.get_logger(__name__)

ACTIVATION_TIMEOUT_S = 60.0
"""An actor that has not taken its session by then is given up; another is tried."""

SESSION_CPUS = 0.0001
"""What Ray counts for a session's actor: it throws dice for those that ask for none at all."""


class SessionActors:
    """Starts actors, keeps as many warm as the settings say, and gives them sessions."""

    def __init__(self, current: CurrentSettings, dsn: str) -> None:
        self._current = current
        self._dsn = dsn
        self._warm: deque[str] = deque()
        self._starting: deque[asyncio.Task[str]] = deque()
        self._busy: set[str] = set()

    @property
    def warm(self) -> list[str]:
        """Those that wait for a session."""
        return list(self._warm)

    @property
    def busy(self) -> frozenset[str]:
        """Those that start, or are about to take a session."""
        return frozenset(self._busy)

    def top_up(self) -> None:
        """Start actors until as many are warm, or about to be, as the settings say."""
        while len(self._warm) + len(self._starting) < self._current.now.sessions.warm_actors:
            start = asyncio.create_task(self._new_actor())
            self._starting.append(start)
            start.add_done_callback(self._started)

    async def take(self, session_id: str) -> str:
        """Give a session a warm actor, or a new one while none is warm; returns its name.

        Raises:
            OrchestrationError: no actor could take it now; what it tried is ended.
        """
        while self._warm:
            # One that has died while it waited is passed over.
            with contextlib.suppress(ActorGone):
                return await self._activate(self._warm.popleft(), session_id)
        name = await (self._starting.popleft() if self._starting else self._new_actor())
        return await self._activate(name, session_id)

    def _started(self, start: "asyncio.Task[str]") -> None:
        if start not in self._starting:
            return  # A session took it before it was warm, and hears itself of a failure.
        self._starting.remove(start)
        if start.cancelled():
            return
        if (error := start.exception()) is not None:
            log.warning("warm_actor_not_started", reason=str(error))
        else:
            self._warm.append(start.result())

    async def _activate(self, name: str, session_id: str) -> str:
        with self._starts(name):
            try:
                async with asyncio.timeout(ACTIVATION_TIMEOUT_S):
                    await ask(session_actor(name).activate.remote(session_id), "session's actor")
            except TimeoutError as error:
                raise Unavailable("The session's actor does not take it; ask again.") from error
        return name

    @contextlib.contextmanager
    def _starts(self, name: str) -> Iterator[None]:
        """An actor is busy meanwhile, and ended if that fails."""
        self._busy.add(name)
        try:
            yield
        except OrchestrationError:
            end_session_actor(name)
            raise
        finally:
            self._busy.discard(name)

    async def _new_actor(self) -> str:
        name = f"{SESSION_PREFIX}{uuid.uuid4().hex[:12]}"
        settings = self._current.now
        with self._starts(name):
            actor: Any = (
                ray.remote(SessionActor)
                .options(
                    name=name,
                    namespace=NAMESPACE,
                    lifetime="detached",
                    # Ray tells at once of a death that is final, and of one that it would mend only
                    # a second later. A warm actor takes over sooner than a new process is up.
                    max_restarts=0,
                    num_cpus=SESSION_CPUS,
                    scheduling_strategy="SPREAD",
                    enable_task_events=False,
                )
                .remote(name, self._dsn, session_values(settings), settings.log_level)
            )
            await ask(actor.ready.remote(), "new session actor")
        return name


def session_actor(name: str) -> Any:
    """A session's actor by its name; raises ActorGone when there is none."""
    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError as error:
        raise ActorGone("The session's actor is gone; ask again.") from error


def end_session_actor(name: str) -> None:
    """End an actor for good, if it is there still."""
    with contextlib.suppress(ValueError):
        ray.kill(ray.get_actor(name, NAMESPACE), no_restart=True)
