"""A pool's engines, lent to one request at a time in fair turns of their sessions."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic

from orchestration.errors import EngineBusy
from orchestration.services.balancing.admission import Admission, Verdict, Waiting
from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.upstream import Lease
from orchestration.services.pool_members import EngineT, Member, Members


@dataclass(frozen=True, slots=True)
class Grant(Generic[EngineT]):
    """An engine for one try, to be taken back once. It stays open until then."""

    lease: Lease
    member: Member[EngineT]

    @property
    def name(self) -> str:
        return self.lease.name


@dataclass(eq=False, slots=True)
class _Request(Waiting, Generic[EngineT]):
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    grant: Grant[EngineT] | None = None


class Lending(Generic[EngineT]):
    """Who waits for an engine, over an `Admission`. `now_ms` is the pool's clock."""

    def __init__(
        self,
        balancer: Balancer,
        members: Members[EngineT],
        max_waiting: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._balancer = balancer
        self._members = members
        self._max_waiting = max_waiting
        self._now_ms = now_ms
        self._admission = Admission(balancer, max_waiting)

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._admission)

    def limit(self, max_waiting: int) -> None:
        """So many may wait from now on; those that wait already do so on. Who need not wait any
        longer by other changes of the pool begins."""
        self._max_waiting = max_waiting
        self._admission.limit(max_waiting)
        self.start_waiting()

    async def lend(
        self, session: str, deadline_s: float, cost: int, tried: set[str]
    ) -> Grant[EngineT] | None:
        """An engine that is not among those `tried`; None if there is none before the deadline.

        Raises:
            EngineBusy: too many requests wait, most of them the session's own.
        """
        now_ms, deadline_ms = self._now_ms(), round(deadline_s * 1000)
        if now_ms >= deadline_ms:
            return None
        request = _Request[EngineT](session, deadline_ms, cost, tried)
        self._tell(self._admission.ask(request, now_ms))
        if request.verdict is Verdict.WAITS:
            await self._wait(request, (deadline_ms - now_ms) / 1000)
        if request.verdict is Verdict.TURNED_AWAY:
            raise EngineBusy(
                f"{self._max_waiting} requests wait for an engine, as many as may.",
                {"limit": "max_waiting", "max": self._max_waiting},
            )
        if request.grant is not None and self._now_ms() >= deadline_ms:
            await self.take_back(request.grant, self._balancer.abandoned)
            return None
        return request.grant

    def lend_at_once(self, tried: set[str]) -> Grant[EngineT] | None:
        """An engine for a second try beside the first, if there is room and the retry budget
        allows it. Nobody waits for that, and it passes nobody who waits."""
        if self.waiting or not self._balancer.count_untried(tried):
            return None
        lease = self._balancer.choose(self._now_ms(), tried)
        if lease is None:
            return None
        if not self._balancer.budget.take():
            self._balancer.abandoned(lease, self._now_ms())
            return None
        return self._grant(lease)

    async def take_back(self, grant: Grant[EngineT], end: Callable[[Lease, int], None]) -> None:
        """A try is over, as the balancer is told by `end`; others may begin."""
        end(grant.lease, self._now_ms())
        grant.member.under_way -= 1
        self.start_waiting()
        await grant.member.close_if_left()

    def start_waiting(self) -> None:
        """Whoever need not wait any longer; to be called when there may be more room."""
        self._tell(self._admission.start(self._now_ms()))

    async def _wait(self, request: _Request[EngineT], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await request.decided.wait()
        except TimeoutError:
            self._admission.withdraw(request)
        except asyncio.CancelledError:
            self._admission.withdraw(request)
            if request.grant is not None:
                await self.take_back(request.grant, self._balancer.abandoned)
            raise

    def _tell(self, requests: Iterable[Waiting]) -> None:
        for request in requests:
            assert isinstance(request, _Request)
            if request.lease is not None:
                request.grant = self._grant(request.lease)
            request.decided.set()

    def _grant(self, lease: Lease) -> Grant[EngineT]:
        member = self._members[lease.name]
        member.under_way += 1
        return Grant(lease, member)
