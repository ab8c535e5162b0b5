"""A process's figures on their way to its node's dispatcher, which adds them up.

They do not go through `ray.util.metrics` from here: Ray's agent labels every series by process and
never forgets one. With a process for each meeting that is a label by session in all but name, and
grows without end.
"""

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import ray
import structlog

from actors.names import NAMESPACE, ask, dispatcher_name
from orchestration.errors import OrchestrationError
from orchestration.metrics.catalogue import ACTOR_RESTARTS
from orchestration.metrics.meter import Meter, Report, Tally

log = structlog.get_logger(__name__)

REPORT_INTERVAL_S = 10.0
"""How often a process reports; as often as Ray's own metrics are renewed."""

REPORT_TIMEOUT_S = 5.0
"""A report that is not answered by then is sent again, and counted once."""


class Reports:
    """This process's tally, and the task that sends it off."""

    def __init__(self, actor: str | None = None) -> None:
        """`actor` is what to count this process as where it is the next life of one that died."""
        self._actor = actor
        self._handle: Any = None
        self._tally = Tally()
        self._samplers: list[Callable[[Meter], None]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def meter(self) -> Meter:
        return self._tally

    def sample(self, fill: Callable[[Meter], None]) -> None:
        """Have `fill` called before each report."""
        self._samplers.append(fill)

    def start(self) -> None:
        """Begin to report; once is enough, more do no harm. Wants a running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_reporting())

    async def _keep_reporting(self) -> None:
        self._count_restart()
        number = 0
        while True:
            await asyncio.sleep(REPORT_INTERVAL_S)
            self._sample()
            number += 1
            report = self._tally.take()
            while not await self._deliver(number, report):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(REPORT_INTERVAL_S)

    def _sample(self) -> None:
        for fill in self._samplers:
            try:
                fill(self._tally)
            except Exception:
                # The figures of other parts are none the worse for it.
                log.exception("figures_not_sampled")

    def _count_restart(self) -> None:
        if self._actor is None:
            return
        try:
            with warnings.catch_warnings():
                # Ray answers by way of a call of its own that it warns of.
                warnings.simplefilter("ignore", DeprecationWarning)
                is_next_life = ray.get_runtime_context().was_current_actor_reconstructed
            if is_next_life:
                self._tally.count(ACTOR_RESTARTS, 1, self._actor)
        except Exception:
            # Ray asks its control store, which may be away; the other figures matter more.
            log.exception("restart_not_counted")

    async def _deliver(self, number: int, report: Report) -> bool:
        context = ray.get_runtime_context()
        try:
            if self._handle is None:
                self._handle = ray.get_actor(dispatcher_name(context.get_node_id()), NAMESPACE)
            async with asyncio.timeout(REPORT_TIMEOUT_S):
                sent = self._handle.report.remote(context.get_worker_id(), number, report)
                await ask(sent, "dispatcher")
        except (OrchestrationError, ValueError, TimeoutError):
            self._handle = None
            return False
        except Exception:
            # Whatever Ray says when its control store is away: it is tried again, or nothing that
            # this process counts would be known any more.
            log.exception("figures_not_delivered")
            self._handle = None
            return False
        return True
