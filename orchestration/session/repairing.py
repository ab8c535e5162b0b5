"""Lost ranges are heard again beside what the session does anyway."""

from collections.abc import Awaitable, Callable, Sequence

from orchestration.errors import Unavailable
from orchestration.session.engine_calls import EngineCalls
from orchestration.session.incarnation import Incarnation
from orchestration.session.repairs import Repair
from orchestration.session.session import Session
from orchestration.session.status import TERMINAL


class Repairing:
    """At most one round of repairs is under way."""

    def __init__(
        self,
        incarnation: Incarnation,
        session: Session,
        calls: EngineCalls,
        finish: Callable[[], Awaitable[None]],
    ) -> None:
        """`finish` ends a session again that was open for its repairs alone."""
        self._incarnation = incarnation
        self._session = session
        self._calls = calls
        self._finish = finish

    @property
    def is_under_way(self) -> bool:
        return self._session.repairs.is_under_way

    def begin(self) -> int:
        """Hear again what was lost though its audio is held; returns how many ranges that is.

        While a round is under way none begins, and the answer is 0.
        """
        if self.is_under_way:
            return 0
        repairs = self._session.repairs.plan()
        if repairs or self._session.status in TERMINAL:
            self._spawn(repairs)
        return len(repairs)

    def begin_due(self) -> None:
        """Hear again what an outage cost, when it is over."""
        if repairs := self._session.repairs.due():
            self._spawn(repairs)

    def _spawn(self, repairs: Sequence[Repair]) -> None:
        self._session.repairs.is_under_way = True
        self._incarnation.spawn(self._run(repairs))

    async def _run(self, repairs: Sequence[Repair]) -> None:
        await self._calls.repair(repairs)
        self._session.repairs.is_under_way = False
        self._incarnation.wake()
        if self._session.status in TERMINAL:
            try:
                await self._incarnation.settled()
            except Unavailable:
                return  # Over before all was stored: what is not is lost still, and said to be.
            await self._finish()
