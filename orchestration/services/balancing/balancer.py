"""Turns among the upstreams of one pool, without those that fail.

An upstream that is an outlier is ejected: its breaker opens, and after a while one request is
its probe. At most half of a pool is out at a time: were more of them failing, the load of all
would fall on the few left, and it is likelier that the requests are at fault, or the network.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from orchestration.services.balancing.breaker import Breaker, Event, State
from orchestration.services.balancing.outliers import Record, percentile
from orchestration.services.balancing.retry_budget import RetryBudget


@dataclass(frozen=True, slots=True)
class UpstreamSnapshot:
    """One upstream for health and metrics; counts are since it joined the pool."""

    name: str
    weight: int
    state: State
    outstanding: int
    calls: int
    failures: int
    slow: int
    ejections: int
    p50_ms: int
    p99_ms: int


@dataclass(slots=True)
class _Upstream:
    name: str
    weight: int
    current_weight: int = 0
    outstanding: int = 0
    calls: int = 0
    failures: int = 0
    slow: int = 0
    ejections: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    record: Record = field(default_factory=Record)
    probe: "Lease | None" = None
    """The one try under way while the breaker is half open."""

    @property
    def is_out(self) -> bool:
        return self.breaker.state is not State.CLOSED


@dataclass(frozen=True, slots=True)
class Lease:
    """One try at an upstream, to be ended once: `answered`, `failed` or `abandoned`."""

    name: str
    began_ms: int
    upstream: _Upstream = field(repr=False)


class Balancer:
    """Smooth weighted round robin; see the module.

    `choose` lends an upstream and the end of each try is told. Time never goes back.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        self.budget = RetryBudget()
        self._upstreams: list[_Upstream] = []
        self.apply(weights, 0)

    def apply(self, weights: Mapping[str, int], now_ms: int) -> None:
        """These upstreams from now on. Who stays keeps its record.

        A removed one and a drained one, of weight 0, get no more requests; those under way go on.
        Of those left no more than half stay out: who was due first is taken back.
        """
        known = {one.name: one for one in self._upstreams}
        self._upstreams = [known.get(name) or _Upstream(name, 1) for name in weights]
        for one in self._upstreams:
            one.weight = weights[one.name]
            one.current_weight = 0
        out = sorted((one for one in self._serving if one.is_out), key=_due_ms)
        for one in out[: max(0, len(out) - self._may_be_out)]:
            one.breaker.handle(Event.READMITTED, now_ms)
            one.record.forget()
            one.probe = None

    def count_untried(self, tried: AbstractSet[str] = frozenset()) -> int:
        """How many upstreams a request has left that failed at those `tried`."""
        return sum(one.name not in tried for one in self._serving)

    def choose(self, now_ms: int, tried: AbstractSet[str] = frozenset()) -> Lease | None:
        """The next upstream for a request that failed at those `tried`; None if none is left.

        A request that has not failed yet probes whoever is due. When all others were tried, one
        that is out is asked before its time: it may be back, and the request is lost otherwise.
        """
        untried = [one for one in self._serving if one.name not in tried]
        closed = [one for one in untried if not one.is_out]
        waiting = [one for one in untried if one.breaker.state is State.OPEN]
        first = min(waiting, key=_due_ms, default=None)
        if first and (not closed or (not tried and first.breaker.is_due(now_ms))):
            first.breaker.handle(Event.PROBED, now_ms)
            first.probe = _lend(first, now_ms)
            return first.probe
        return _lend(_next_in_turn(closed), now_ms) if closed else None

    def answered(self, lease: Lease, now_ms: int) -> None:
        """The upstream served the request, or said that it never will."""
        one = lease.upstream
        one.outstanding -= 1
        peers = [other.record for other in self._upstreams if other is not one and not other.is_out]
        if one.probe is lease:
            one.probe = None
            one.breaker.handle(Event.PROBE_ANSWERED, now_ms)
            one.record.forget()
        one.slow += one.record.answered(now_ms - lease.began_ms, peers)
        self._eject_if_outlier(one, now_ms)

    def failed(self, lease: Lease, now_ms: int) -> None:
        """The upstream did not serve the request, and another one may."""
        one = lease.upstream
        one.outstanding -= 1
        one.failures += 1
        one.record.failed()
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
        return tuple(
            UpstreamSnapshot(
                name=one.name,
                weight=one.weight,
                state=one.breaker.state,
                outstanding=one.outstanding,
                calls=one.calls,
                failures=one.failures,
                slow=one.slow,
                ejections=one.ejections,
                p50_ms=percentile(one.record.latencies_ms, 500),
                p99_ms=percentile(one.record.latencies_ms, 990),
            )
            for one in self._upstreams
        )

    @property
    def _serving(self) -> list[_Upstream]:
        return [one for one in self._upstreams if one.weight]

    @property
    def _may_be_out(self) -> int:
        return len(self._serving) // 2

    def _eject_if_outlier(self, one: _Upstream, now_ms: int) -> None:
        is_serving = any(one is other for other in self._serving)
        out = sum(other.is_out for other in self._serving)
        if is_serving and not one.is_out and one.record.is_outlier and out < self._may_be_out:
            one.breaker.handle(Event.TRIPPED, now_ms)
            one.ejections += 1


def _due_ms(upstream: _Upstream) -> int:
    return upstream.breaker.due_ms


def _lend(upstream: _Upstream, now_ms: int) -> Lease:
    upstream.calls += 1
    upstream.outstanding += 1
    return Lease(upstream.name, now_ms, upstream)


def _next_in_turn(upstreams: Sequence[_Upstream]) -> _Upstream:
    """Nginx's smooth weighted round robin: shares by weight, without bursts to the heaviest.

    Everyone gains its weight, the richest serves and pays what all gained together; of equally
    rich ones, who has the least under way.
    """
    for one in upstreams:
        one.current_weight += one.weight
    chosen = max(upstreams, key=lambda one: (one.current_weight, -one.outstanding))
    chosen.current_weight -= sum(one.weight for one in upstreams)
    return chosen
