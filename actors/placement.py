"""Which actor has which session: warm ones kept ready, dead ones replaced, idle ones ended."""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ray
import structlog

from actors.names import NAMESPACE, SESSION_PREFIX, ActorGone, ask
from actors.session_actor import SessionActor
from orchestration.config.current import CurrentSettings
from orchestration.config.session_values import session_values
from orchestration.errors import (
    DatabaseUnavailable,
    LimitReached,
    OrchestrationError,
    Unavailable,
    UnknownSession,
)
from orchestration.health.recovery import Continuously, RecoveryBook
from orchestration.metrics.catalogue import ACTOR_RESTARTS
from orchestration.metrics.meter import Meter
from orchestration.process_clock import monotonic_ms

log = structlog.get_logger(__name__)

ENDED_GRACE_MS = 15_000
"""An ended session's actor stays this long, so that everybody connected hears of the end."""

ACTIVATION_TIMEOUT_S = 60.0
"""An actor that has not taken its session by then is given up; another is tried."""

LEAKED_AFTER_MS = 30_000
"""An actor that nobody knows of for this long is nobody's; one that starts is soon known."""

SESSION_CPUS = 0.0001
"""What Ray counts for a session's actor: it throws dice for those that ask for none at all."""


class Placement:
    """The sessions' actors, by name. Knows only what Ray and PostgreSQL know too."""

    def __init__(
        self, current: CurrentSettings, dsn: str, meter: Meter, recovery: RecoveryBook
    ) -> None:
        """`recovery` says how long a session whose actors die waits for the next one."""
        self._recovery = recovery
        self._current = current
        self._dsn = dsn
        self._meter = meter
        self._open: dict[str, str] = {}
        self._warm: deque[str] = deque()
        self._placing: dict[str, asyncio.Task[str]] = {}
        self._arriving: set[str] = set()
        self._homeless: set[str] = set()
        self._ended_due_ms: dict[str, int] = {}
        self._busy: set[str] = set()
        self._unknown = Continuously(LEAKED_AFTER_MS)
        self._starting: deque[asyncio.Task[str]] = deque()

    @property
    def open(self) -> Mapping[str, str]:
        """Actor names by session; an ended one is among them until its grace is over."""
        return self._open

    @property
    def actors(self) -> list[str]:
        """All that there are, with a session or without."""
        return [*self._open.values(), *self._warm]

    @property
    def warm_actors(self) -> int:
        """How many actors wait for a session."""
        return len(self._warm)

    @contextlib.contextmanager
    def room_for(self, session_id: str) -> Iterator[None]:
        """Keep one of the `max_open` places while a session is stored and given its actor. One
        that has its place already takes no other, and one that has ended none.

        Raises:
            LimitReached: as many sessions are open as may be.
        """
        placed = self._open.keys() | self._homeless | self._placing.keys() | self._arriving
        if session_id in placed:
            yield
            return
        limit = self._current.now.sessions.max_open
        if len(placed - self._ended_due_ms.keys()) >= limit:
            raise LimitReached(
                f"{limit} sessions are open, as many as max_open allows; end some first.",
                {"max_open": limit},
            )
        self._arriving.add(session_id)
        try:
            yield
        finally:
            self._arriving.discard(session_id)

    def has_ended(self, session_id: str) -> bool:
        """Whether a session's end is stored and its actor is in its grace."""
        return session_id in self._ended_due_ms

    def adopt(self, actor_by_session: Mapping[str, str | None], alive: Iterable[str]) -> None:
        """Take over the open sessions of an earlier coordinator and the actors it left; sessions
        whose actor is gone wait for `place_homeless`, actors without a session are ended."""
        there = set(alive)
        for session_id, name in actor_by_session.items():
            if name in there and name is not None:
                self._open[session_id] = name
            else:
                self._homeless.add(session_id)
        for name in there - set(self._open.values()):
            _end_actor(name)

    async def place(self, session_id: str, *, keeps_trying: bool = True) -> str:
        """The actor of a session, found or made; callers at once share one. One that has ended
        needs none but for its caller, who says so by `keeps_trying`.

        Raises:
            Unavailable: no actor could take it now; it is tried again by `place_homeless`, if that
                `keeps_trying`.
        """
        if session_id in self._open:
            return self._open[session_id]
        if keeps_trying:
            self._homeless.add(session_id)
        placing = self._placing.get(session_id)
        if placing is None:
            placing = self._placing[session_id] = asyncio.create_task(self._placed(session_id))
        # A task of its own: whoever asked first may go away, and the others still wait for it.
        return await asyncio.shield(placing)

    async def replace(self, session_id: str, name: str) -> None:
        """Give a session whose actor `name` is dead or stuck another one.

        The epoch that the new one takes shuts the old one out, should it still live. Only the
        first to ask does anything; the others wait with it.

        Raises:
            Unavailable: no actor could take it now; it is tried again by `place_homeless`.
        """
        if self._open.get(session_id) != name:
            if session_id in self._placing or session_id in self._homeless:
                await self.place(session_id)
            return
        if self.has_ended(session_id):
            self.dismiss(session_id)
            return
        del self._open[session_id]
        self._homeless.add(session_id)
        _end_actor(name)
        state = self._recovery.act("replace_session", session_id, monotonic_ms())
        self._meter.count(ACTOR_RESTARTS, 1, "session")
        log.warning("session_actor_replaced", session_id=session_id, actor=name, state=state)
        await self.place(session_id)

    async def place_homeless(self) -> None:
        """Try the sessions that have no actor, each once its pause is over."""
        for session_id in self._homeless - self._placing.keys():
            if not self._recovery.may_act("replace_session", session_id, monotonic_ms()):
                continue
            try:
                await self.place(session_id)
            except UnknownSession:
                log.warning("unknown_session_dropped", session_id=session_id)
                self.dismiss(session_id)
            except DatabaseUnavailable as error:
                log.warning("session_not_placed", session_id=session_id, reason=error.message)
            except (OrchestrationError, TimeoutError) as error:
                # Not its fault is only the database's absence: the rest waits longer each time.
                state = self._recovery.act("replace_session", session_id, monotonic_ms())
                self._recovery.failed("replace_session")
                log.warning(
                    "session_not_placed", session_id=session_id, reason=str(error), state=state
                )

    def end_leaked(self, alive: Iterable[str]) -> None:
        """End the session actors among `alive` that belong to nobody: an earlier coordinator began
        to start them, or their end did not reach them. Without `auto_recovery` they are left."""
        if not self._current.now.services.auto_recovery:
            return
        now_ms = monotonic_ms()
        known = self._busy | set(self._warm) | set(self._open.values())
        for name in self._unknown.seen(set(alive) - known, now_ms):
            if self._recovery.may_act("end_leaked_actor", name, now_ms):
                state = self._recovery.act("end_leaked_actor", name, now_ms)
                log.warning("leaked_actor_ended", actor=name, state=state)
                _end_actor(name)

    def end_unknown(self, session_id: str) -> None:
        """End the actor of a session whose rows are gone."""
        name = self._open[session_id]
        state = self._recovery.act("end_leaked_actor", name, monotonic_ms())
        log.warning("leaked_actor_ended", actor=name, session_id=session_id, state=state)
        self.dismiss(session_id)

    def top_up(self) -> None:
        """Start actors until as many are warm, or about to be, as the settings say."""
        while len(self._warm) + len(self._starting) < self._current.now.sessions.warm_actors:
            start = asyncio.create_task(self._new_actor())
            self._starting.append(start)
            start.add_done_callback(self._started)

    def session_ended(self, session_id: str) -> None:
        """A session's end is stored: its actor goes once its grace is over."""
        if session_id in self._open:
            self._ended_due_ms.setdefault(session_id, monotonic_ms() + ENDED_GRACE_MS)

    def dismiss_ended(self) -> None:
        """End the actors whose grace is over."""
        now_ms = monotonic_ms()
        for session_id, due_ms in list(self._ended_due_ms.items()):
            if due_ms <= now_ms:
                self.dismiss(session_id)

    def dismiss(self, session_id: str) -> None:
        """End a session's actor, if it has one."""
        self._ended_due_ms.pop(session_id, None)
        self._recovery.forget("replace_session", session_id)
        self._homeless.discard(session_id)
        name = self._open.pop(session_id, None)
        if name is not None:
            _end_actor(name)

    async def go_away(self, reason: str, retry_ms: int) -> int:
        """Every open session tells its sender to come back; how many sessions were told."""
        told = []
        for name in self._open.values():
            with contextlib.suppress(Unavailable):
                told.append(session_actor(name).go_away.remote(reason, retry_ms))
        await asyncio.gather(*told, return_exceptions=True)
        return len(told)

    async def _placed(self, session_id: str) -> str:
        try:
            name = await self._activated(session_id)
        finally:
            del self._placing[session_id]
        self._open[session_id] = name
        self._homeless.discard(session_id)
        return name

    async def _activated(self, session_id: str) -> str:
        pause_ms = self._recovery.due_ms("replace_session", session_id) - monotonic_ms()
        if pause_ms > 0:
            # Audio that kills its actor must not keep the machine busy with starting others.
            await asyncio.sleep(pause_ms / 1000)
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
        if start.cancelled() or start.exception() is not None:
            log.warning("warm_actor_not_started", reason=str(start.exception()))
        else:
            self._warm.append(start.result())

    async def _activate(self, name: str, session_id: str) -> str:
        self._busy.add(name)
        try:
            async with asyncio.timeout(ACTIVATION_TIMEOUT_S):
                await ask(session_actor(name).activate.remote(session_id), "session's actor")
        except TimeoutError as error:
            _end_actor(name)
            raise Unavailable("The session's actor does not take it; ask again.") from error
        except OrchestrationError:
            _end_actor(name)
            raise
        finally:
            self._busy.discard(name)
        return name

    async def _new_actor(self) -> str:
        name = f"{SESSION_PREFIX}{uuid.uuid4().hex[:12]}"
        self._busy.add(name)
        settings = self._current.now
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
        try:
            await ask(actor.ready.remote(), "new session actor")
        except OrchestrationError:
            _end_actor(name)
            raise
        finally:
            self._busy.discard(name)
        return name


def session_actor(name: str) -> Any:
    """A session's actor by its name; raises ActorGone when there is none."""
    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError as error:
        raise ActorGone("The session's actor is gone; ask again.") from error


def _end_actor(name: str) -> None:
    with contextlib.suppress(ValueError):
        ray.kill(ray.get_actor(name, NAMESPACE), no_restart=True)
