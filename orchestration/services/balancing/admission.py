"""Requests on their way to an upstream: who starts, who waits, who is turned away."""

from dataclasses import dataclass, field
from enum import Enum

from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.fair_queue import FairQueue
from orchestration.services.balancing.upstream import Lease


class Verdict(Enum):
    WAITS = "waits"
    STARTS = "starts"
    """It has a lease."""
    TURNED_AWAY = "turned_away"
    """More would wait than may."""
    TOO_LATE = "too_late"
    """No upstream would answer before its deadline. Earliest deadlines first would else spend an
    overloaded pool on requests that are all just about to be given up."""
    NOBODY_LEFT = "nobody_left"
    """It failed at every upstream that there is."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A request that has yet to begin. `cost` is what it costs an upstream, next to others."""

    session: str
    deadline_ms: int
    cost: int = 1
    tried: set[str] = field(default_factory=set)
    """Upstreams that it failed at."""
    verdict: Verdict = Verdict.WAITS
    lease: Lease | None = None


class Admission:
    """Leases of a balancer in fair turns of the sessions.

    While somebody waits, every upstream that would do for it has as many requests under way as it
    bears, or its probe: the end of each of them is the time to `start` others.
    """

    def __init__(self, balancer: Balancer, max_waiting: int) -> None:
        self._balancer = balancer
        self._queue = FairQueue[Waiting](max_waiting)

    def __len__(self) -> int:
        return len(self._queue)

    def limit(self, max_waiting: int) -> None:
        """So many may wait from now on; those that wait already do so on."""
        self._queue.limit(max_waiting)

    def ask(self, one: Waiting, now_ms: int) -> list[Waiting]:
        """One more request. Returns all that no longer wait, of which it may be one."""
        loser = self._queue.put(one, one.session, one.deadline_ms, one.cost)
        decided = self.start(now_ms)
        if loser is not None:
            loser.verdict = Verdict.TURNED_AWAY
            decided.append(loser)
        return decided

    def start(self, now_ms: int) -> list[Waiting]:
        """Those who need not wait any longer, in their turns."""
        usual_ms = self._balancer.usual_ms
        is_full = False

        def is_in_vain(one: Waiting) -> bool:
            if not self._balancer.count_untried(one.tried):
                one.verdict = Verdict.NOBODY_LEFT
            elif one.deadline_ms - now_ms < usual_ms:
                one.verdict = Verdict.TOO_LATE
            return one.verdict is not Verdict.WAITS

        def starts(one: Waiting) -> bool:
            nonlocal is_full
            # Where a request that has not failed yet finds no room, no other one does.
            one.lease = None if is_full else self._balancer.choose(now_ms, one.tried)
            if one.lease is None:
                is_full = is_full or not one.tried
                return False
            one.verdict = Verdict.STARTS
            return True

        decided = self._queue.sweep(is_in_vain)
        while (one := self._queue.take(starts)) is not None:
            decided.append(one)
        return decided

    def withdraw(self, one: Waiting) -> None:
        """It waits no more; nothing happens if it does not wait."""
        self._queue.remove(one, one.session)
