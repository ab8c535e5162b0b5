"""Which actor has which session: dead ones are replaced, leaked and ended ones go."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping

import structlog

from actors.session_actors import SessionActors, end_session_actor, session_actor
from orchestration.config.current import CurrentSettings
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

LEAKED_AFTER_MS = 30_000
"""An actor that nobody knows of for this long is nobody's; one that starts is soon known."""


class Placement:
    """The sessions' actors, by name. Knows only what Ray and PostgreSQL know too."""

    def __init__(
        self, current: CurrentSettings, dsn: str, meter: Meter, recovery: RecoveryBook
    ) -> None:
        """`recovery` says how long a session whose actors die waits for the next one."""
        self._recovery = recovery
        self._current = current
        self._actors = SessionActors(current, dsn)
        self._meter = meter
        self._open: dict[str, str] = {}
        self._placing: dict[str, asyncio.Task[str]] = {}
        self._arriving: set[str] = set()
        self._homeless: set[str] = set()
        self._ended_due_ms: dict[str, int] = {}
        self._unknown = Continuously(LEAKED_AFTER_MS)

    @property
    def open(self) -> Mapping[str, str]:
        """Actor names by session; an ended one is among them until its grace is over."""
        return self._open

    @property
    def actors(self) -> list[str]:
        """All that there are, with a session or without."""
        return [*self._open.values(), *self._actors.warm]

    @property
    def warm_actors(self) -> int:
        """How many actors wait for a session."""
        return len(self._actors.warm)

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
            end_session_actor(name)

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
        end_session_actor(name)
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
        known = self._actors.busy | set(self.actors)
        for name in self._unknown.seen(set(alive) - known, now_ms):
            if self._recovery.may_act("end_leaked_actor", name, now_ms):
                state = self._recovery.act("end_leaked_actor", name, now_ms)
                log.warning("leaked_actor_ended", actor=name, state=state)
                end_session_actor(name)

    def end_unknown(self, session_id: str) -> None:
        """End the actor of a session whose rows are gone."""
        name = self._open[session_id]
        state = self._recovery.act("end_leaked_actor", name, monotonic_ms())
        log.warning("leaked_actor_ended", actor=name, session_id=session_id, state=state)
        self.dismiss(session_id)

    def top_up(self) -> None:
        """Start actors until as many are warm, or about to be, as the settings say."""
        self._actors.top_up()

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
            end_session_actor(name)

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
        return await self._actors.take(session_id)
