"""One incarnation of a session in this process: its tasks, who waits for it, and how it is over."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from structlog.stdlib import BoundLogger

from orchestration.errors import OrchestrationError, Unavailable
from orchestration.session.live_log import LiveLog


class Incarnation:
    """It runs until its session has ended, or until it gives up and another one goes on."""

    def __init__(self, live: LiveLog, log: BoundLogger) -> None:
        self.live = live
        self.log = log
        self.is_finished = False
        """The session has ended, and that is stored and told."""
        self._stopped: OrchestrationError | None = None
        self._wake = asyncio.Event()
        self._await_next_step: list[asyncio.Future[None]] = []
        self._await_this_step: list[asyncio.Future[None]] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_replaced(self) -> bool:
        """Whether this incarnation is over while the session is not."""
        return self._stopped is not None

    @property
    def changed(self) -> asyncio.Event:
        """Set when a sender may be told something new; another one then takes its place."""
        return self._changed

    def check_running(self) -> None:
        """Raises Unavailable when another incarnation is to be asked."""
        if self._stopped is not None:
            raise _moves() from self._stopped

    def check_stores(self) -> None:
        """Raises Unavailable when what is done to the session from now on would not be stored."""
        self.check_running()
        if self.is_finished:
            raise _just_ended()

    # Waking, and steps

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    async def woken(self, within_s: float) -> None:
        """Wait until there is something to do, or until it is time to look."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        self._wake.clear()

    def step_begins(self) -> None:
        """What the session has to do by now is about to be drained."""
        self._await_this_step += self._await_next_step
        self._await_next_step = []

    def step_is_done(self) -> None:
        """What was drained is stored and told."""
        done, self._await_this_step = self._await_this_step, []
        for waiting in done:
            if not waiting.done():
                waiting.set_result(None)

    async def settled(self) -> None:
        """Until everything so far is stored and told.

        Raises:
            Unavailable: the incarnation was over before that.
        """
        self.check_stores()
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._await_next_step.append(waiting)
        self._wake.set()
        await waiting

    def signal(self) -> None:
        """Whoever waits for `changed` looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # Ends

    def finish(self) -> None:
        """The session has ended."""
        self.is_finished = True
        self.live.close()
        self.signal()
        # No step follows the one under way, which is still carried out.
        left, self._await_next_step = self._await_next_step, []
        _fail(left, _just_ended)

    def give_up(self, error: OrchestrationError) -> None:
        """This incarnation cannot go on; the session does, elsewhere or anew."""
        self.log.warning("session_stops_here", reason=error.message)
        self._stop(error)

    async def stop(self) -> None:
        """End all tasks of this process; the session itself goes on elsewhere."""
        self._stop(self._stopped or Unavailable("The session's actor is stopping."))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop(self, error: OrchestrationError) -> None:
        self._stopped = error
        self.live.close()
        self.signal()
        left = [*self._await_this_step, *self._await_next_step]
        self._await_this_step, self._await_next_step = [], []
        _fail(left, _moves)

    # Tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside what is done now; the incarnation ends with it if it fails."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)

    def _ended_task(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        # A step that failed unexpectedly may have left a chunk without an answer: the session
        # begins anew from what is stored, which is what it would do after a crash.
        self.log.error("task_failed", exc_info=task.exception())
        self.give_up(Unavailable("A task of the session failed; the session begins anew."))


def _moves() -> Unavailable:
    return Unavailable("The session moves to another actor; ask again.")


def _just_ended() -> Unavailable:
    return Unavailable("The session has just ended; ask again.")


def _fail(left: Iterable["asyncio.Future[None]"], why: Callable[[], Unavailable]) -> None:
    for waiting in left:
        if not waiting.done():
            waiting.set_exception(why())
