"""Turns among the upstreams of one pool, without those that fail.

An upstream that is an outlier is ejected: its breaker opens, and after a while one request is
its probe. At most half of a pool is out at a time: were more of them failing, the load of all
would fall on the few left, and it is likelier that the requests are at fault, or the network.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from orchestration.services.balancing.breaker import Event, State
from orchestration.services.balancing.limits import AdaptiveLimit, LimitBounds
from orchestration.services.balancing.outliers import STREAK
from orchestration.services.balancing.policies import Policy, next_in_turn
from orchestration.services.balancing.retry_budget import RetryBudget
from orchestration.services.balancing.upstream import Lease, Upstream, UpstreamSnapshot


class Balancer:
    """Turns as the policy says, smooth weighted round robin by default; see the module.

    `choose` lends an upstream and the end of each try is told. Time never goes back. With `limits`
    nobody gets more requests at once than it bears. Where `all_may_be_out`, a pool of which all
    fail serves nothing until one is due for a probe, instead of keeping half of it in. Unless it
    `ejects_slow`, latencies are not compared: they say nothing where requests are not alike.
    `eject_after` failures and slow answers in a row make an outlier.
    """

    def __init__(
        self,
        weights: Mapping[str, int],
        *,
        limits: LimitBounds | None = None,
        policy: Policy = next_in_turn,
        all_may_be_out: bool = False,
        ejects_slow: bool = True,
        eject_after: int = STREAK,
    ) -> None:
        self.budget = RetryBudget()
        self._limits = limits
        self._policy = policy
        self._all_may_be_out = all_may_be_out
        self._ejects_slow = ejects_slow
        self._eject_after = eject_after
        self._upstreams: list[Upstream] = []
        self.apply(weights, 0)

    def apply(self, weights: Mapping[str, int], now_ms: int) -> None:
        """These upstreams from now on. Who stays keeps its record.

        A removed one and a drained one, of weight 0, get no more requests; those under way go on.
        Of those left no more than half stay out: who was due first is taken back.
        """
        known = {one.name: one for one in self._upstreams}
        self._upstreams = [known.get(name) or self._new(name) for name in weights]
        for one in self._upstreams:
            one.weight = weights[one.name]
            one.current_weight = 0
        out = sorted((one for one in self._serving if one.is_out), key=_due_ms)
        for one in out[: max(0, len(out) - self._may_be_out)]:
            one.breaker.handle(Event.READMITTED, now_ms)
            one.record.forget()
            one.probe = None

    def tune(self, limits: LimitBounds | None, policy: Policy, eject_after: int) -> None:
        """Turns, limits and ejection like this from now on. Everybody keeps its record."""
        self._limits, self._policy, self._eject_after = limits, policy, eject_after
        for one in self._upstreams:
            if limits is None:
                one.limit = None
            elif one.limit is None:
                one.limit = AdaptiveLimit(limits)
            else:
                one.limit.bound(limits)

    def count_untried(self, tried: AbstractSet[str] = frozenset()) -> int:
        """How many upstreams a request has left that failed at those `tried`."""
        return sum(one.name not in tried for one in self._serving)

    @property
    def usual_ms(self) -> int:
        """What an answer takes at least, at the upstream that is fastest lately; 0 if unknown."""
        return min((one.limit.usual_ms for one in self._serving if one.limit), default=0)

    def choose(self, now_ms: int, tried: AbstractSet[str] = frozenset()) -> Lease | None:
        """The next upstream for a request that failed at those `tried`.

        None if none is left, or none of them has room: unless all of a pool may be out, a try is
        under way then at each that is left, and its end makes room.

        A request that has not failed yet probes whoever is due. When all others were tried, one
        that is out is asked before its time: it may be back, and the request is lost otherwise.
        """
        untried = [one for one in self._serving if one.name not in tried]
        closed = [one for one in untried if not one.is_out]
        waiting = [one for one in untried if one.breaker.state is State.OPEN]
        first = min(waiting, key=_due_ms, default=None)
        if first and self._is_to_be_probed(first, now_ms, is_last=not closed, is_new=not tried):
            first.breaker.handle(Event.PROBED, now_ms)
            first.probe = first.lend(now_ms)
            return first.probe
        ready = [one for one in closed if one.has_room]
        return self._policy(ready, now_ms).lend(now_ms) if ready else None

    def answered(self, lease: Lease, now_ms: int, answered_ms: int | None = None) -> None:
        """The upstream served the request, or said that it never will.

        `answered_ms` is when its answer began, where that took its time to be passed on.
        """
        one = lease.upstream
        latency_ms = (now_ms if answered_ms is None else answered_ms) - lease.began_ms
        one.outstanding -= 1
        peers = [
            other.record
            for other in self._upstreams
            if self._ejects_slow and other is not one and not other.is_out
        ]
        if one.probe is lease:
            one.probe = None
            one.breaker.handle(Event.PROBE_ANSWERED, now_ms)
            one.record.forget()
        if one.limit:
            one.limit.answered(latency_ms, lease.under_way, now_ms)
        one.latency.answered(latency_ms, now_ms)
        one.slow += one.record.answered(latency_ms, peers)
        self._eject_if_outlier(one, now_ms)

    def failed(self, lease: Lease, now_ms: int) -> None:
        """The upstream did not serve the request, and another one may."""
        one = lease.upstream
        one.outstanding -= 1
        one.failures += 1
        one.record.failed()
        one.latency.answered(now_ms - lease.began_ms, now_ms)
        if one.limit:
            one.limit.failed()
        if one.probe is lease:
            one.probe = None
            one.breaker.handle(Event.PROBE_FAILED, now_ms)
            one.ejections += 1
        self._eject_if_outlier(one, now_ms)

    def abandoned(self, lease: Lease, now_ms: int) -> None:
        """Nobody waits for the answer any more; the upstream is neither better nor worse."""
        one = lease.upstream
        one.outstanding -= 1
        if one.probe is lease:
            one.probe = None
            one.breaker.handle(Event.PROBE_ABANDONED, now_ms)

    def snapshot(self) -> tuple[UpstreamSnapshot, ...]:
        """Every upstream of the pool as it stands, in the order they were given."""
        return tuple(one.snapshot() for one in self._upstreams)

    @property
    def _serving(self) -> list[Upstream]:
        return [one for one in self._upstreams if one.weight]

    @property
    def _may_be_out(self) -> int:
        return len(self._serving) // (1 if self._all_may_be_out else 2)

    def _new(self, name: str) -> Upstream:
        return Upstream(name, 1, AdaptiveLimit(self._limits) if self._limits else None)

    def _is_to_be_probed(
        self, upstream: Upstream, now_ms: int, *, is_last: bool, is_new: bool
    ) -> bool:
        if is_last and not self._all_may_be_out:
            return True
        return (is_last or is_new) and upstream.breaker.is_due(now_ms)

    def _eject_if_outlier(self, one: Upstream, now_ms: int) -> None:
        is_serving = any(one is other for other in self._serving)
        out = sum(other.is_out for other in self._serving)
        is_outlier = one.record.streak >= self._eject_after
        if is_serving and not one.is_out and is_outlier and out < self._may_be_out:
            one.breaker.handle(Event.TRIPPED, now_ms)
            one.ejections += 1


def _due_ms(upstream: Upstream) -> int:
    return upstream.breaker.due_ms
