"""One upstream of a pool, and a try at it."""

from dataclasses import dataclass, field

from orchestration.services.balancing.breaker import Breaker, State
from orchestration.services.balancing.latency import PeakEwma
from orchestration.services.balancing.limits import AdaptiveLimit
from orchestration.services.balancing.outliers import Record, percentile


@dataclass(frozen=True, slots=True)
class UpstreamSnapshot:
    """One upstream for health and metrics; counts are since it joined the pool."""

    name: str
    weight: int
    state: State
    outstanding: int
    limit: int | None
    """Requests that it is given at once; None is no limit."""
    calls: int
    failures: int
    slow: int
    ejections: int
    p50_ms: int
    p99_ms: int


@dataclass(slots=True)
class Upstream:
    """What the balancer knows of one upstream."""

    name: str
    weight: int
    limit: AdaptiveLimit | None = None
    current_weight: int = 0
    outstanding: int = 0
    calls: int = 0
    failures: int = 0
    slow: int = 0
    ejections: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    record: Record = field(default_factory=Record)
    latency: PeakEwma = field(default_factory=PeakEwma)
    probe: "Lease | None" = None
    """The one try under way while the breaker is half open."""

    @property
    def is_out(self) -> bool:
        return self.breaker.state is not State.CLOSED

    @property
    def has_room(self) -> bool:
        return self.limit is None or self.outstanding < self.limit.value

    def lend(self, now_ms: int) -> "Lease":
        """Begin a try."""
        self.calls += 1
        self.outstanding += 1
        return Lease(self.name, now_ms, self.outstanding, self)

    def snapshot(self) -> UpstreamSnapshot:
        """As it stands."""
        return UpstreamSnapshot(
            name=self.name,
            weight=self.weight,
            state=self.breaker.state,
            outstanding=self.outstanding,
            limit=self.limit.value if self.limit else None,
            calls=self.calls,
            failures=self.failures,
            slow=self.slow,
            ejections=self.ejections,
            p50_ms=percentile(self.record.latencies_ms, 500),
            p99_ms=percentile(self.record.latencies_ms, 990),
        )


@dataclass(frozen=True, slots=True)
class Lease:
    """One try at an upstream, to be ended once: `answered`, `failed` or `abandoned`."""

    name: str
    began_ms: int
    under_way: int
    """Tries at the upstream when it began, itself among them."""
    upstream: Upstream = field(repr=False)
