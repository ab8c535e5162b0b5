"""What probes say about the parts of the service. Pure: probes go in, a report comes out."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Literal

from orchestration.health.report import RecentError, ServiceHealth, ServiceStatus, Trend
from orchestration.services.ports import EngineStatus

FAILURES_UNTIL_UNHEALTHY = 3
"""Consecutive failed probes after which a part counts as unhealthy; before, it is degraded."""

SUCCESSES_UNTIL_HEALTHY = 2
"""Consecutive good probes after which a part that was unhealthy is trusted again."""

LATENCIES_KEPT = 60
"""Of the last good probes of a part: ten minutes at the default interval."""

TREND_PROBES = 20
"""Good probes, the older half against the newer, that tell a trend; with fewer there is none."""

TREND_RATIO = 1.5
TREND_LEAST_MS = 5
"""A trend is a median that changes by this factor, and by more than a few milliseconds."""

ERRORS_KEPT = 10
"""Failed probes remembered of a part; older ones are forgotten."""

ESSENTIAL = ("database", "coordinator")
"""Parts without which the service takes no meetings."""

Finding = Literal["good", "good_enough", "bad", "bad_enough"]
"""A probe's result; `enough` says that as many in a row are as the thresholds want."""

TRANSITIONS: Mapping[ServiceStatus, Mapping[Finding, ServiceStatus]] = {
    "unknown": {
        "good": "healthy",
        "good_enough": "healthy",
        "bad": "degraded",
        "bad_enough": "unhealthy",
    },
    "healthy": {
        "good": "healthy",
        "good_enough": "healthy",
        "bad": "degraded",
        "bad_enough": "unhealthy",
    },
    "degraded": {
        "good": "healthy",
        "good_enough": "healthy",
        "bad": "degraded",
        "bad_enough": "unhealthy",
    },
    "unhealthy": {
        "good": "recovering",
        "good_enough": "healthy",
        "bad": "unhealthy",
        "bad_enough": "unhealthy",
    },
    "recovering": {
        "good": "recovering",
        "good_enough": "healthy",
        "bad": "unhealthy",
        "bad_enough": "unhealthy",
    },
}
"""A part's states: from each, where a probe leads."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at one part of the service."""

    name: str
    healthy: bool
    latency_ms: int
    url: str | None = None
    detail: str = ""
    is_certain: bool = False
    """A failure that needs no repetition: who stopped consuming did so for minutes."""
    pool: str | None = None
    kind: str | None = None


@dataclass(slots=True)
class _History:
    """What is remembered of one part."""

    status: ServiceStatus = "unknown"
    failures_in_a_row: int = 0
    successes_in_a_row: int = 0
    checks: int = 0
    successes: int = 0
    last_success_unix_ms: int | None = None
    last_failure_unix_ms: int | None = None
    latencies_ms: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    errors: deque[RecentError] = field(default_factory=lambda: deque(maxlen=ERRORS_KEPT))

    def take(self, probe: Probe, now_unix_ms: int) -> None:
        self.checks += 1
        if probe.healthy:
            self.successes += 1
            self.successes_in_a_row += 1
            self.failures_in_a_row = 0
            self.last_success_unix_ms = now_unix_ms
            self.latencies_ms.append(probe.latency_ms)
        else:
            self.failures_in_a_row += 1
            self.successes_in_a_row = 0
            self.last_failure_unix_ms = now_unix_ms
            self.errors.append(RecentError(now_unix_ms, probe.detail))
        self.status = TRANSITIONS[self.status][self._finding(probe)]

    def _finding(self, probe: Probe) -> Finding:
        if probe.healthy:
            return "good_enough" if self.successes_in_a_row >= SUCCESSES_UNTIL_HEALTHY else "good"
        enough = probe.is_certain or self.failures_in_a_row >= FAILURES_UNTIL_UNHEALTHY
        return "bad_enough" if enough else "bad"


class HealthBook:
    """Keeps the latest health of every part, and a bounded history of it."""

    def __init__(self) -> None:
        self._services: dict[str, ServiceHealth] = {}
        self._histories: dict[str, _History] = {}

    @property
    def services(self) -> tuple[ServiceHealth, ...]:
        return tuple(self._services[name] for name in sorted(self._services))

    def is_well(self, name: str) -> bool:
        """Whether nothing is known against a part."""
        part = self._services.get(name)
        return part is None or part.status == "healthy"

    def record(self, probe: Probe, now_unix_ms: int) -> ServiceHealth:
        """Take a probe's result; returns the part's health by now."""
        history = self._histories.setdefault(probe.name, _History())
        history.take(probe, now_unix_ms)
        health = ServiceHealth(
            name=probe.name,
            status=history.status,
            url=probe.url,
            last_check_unix_ms=now_unix_ms,
            latency_ms=probe.latency_ms,
            consecutive_failures=history.failures_in_a_row,
            detail=probe.detail,
            consecutive_successes=history.successes_in_a_row,
            last_success_unix_ms=history.last_success_unix_ms,
            last_failure_unix_ms=history.last_failure_unix_ms,
            total_checks=history.checks,
            successful_checks=history.successes,
            average_latency_ms=round(mean(history.latencies_ms)) if history.latencies_ms else None,
            trend=latency_trend(tuple(history.latencies_ms)),
            recent_errors=tuple(history.errors),
            pool=probe.pool,
            kind=probe.kind,
        )
        self._services[probe.name] = health
        return health

    def record_engines(self, engines: Sequence[EngineStatus], now_unix_ms: int) -> None:
        """Take the probes of all engines; one that is no longer among them is forgotten."""
        probes = engine_probes(engines)
        there = {probe.name for probe in probes}
        for name, known in list(self._services.items()):
            if known.pool is not None and name not in there:
                del self._services[name], self._histories[name]
        for probe in probes:
            self.record(probe, now_unix_ms)

    @property
    def overall(self) -> Literal["healthy", "degraded", "unhealthy"]:
        """`unhealthy` when an essential part is; `degraded` when anything else is not well."""
        if any(
            self._services[name].status == "unhealthy"
            for name in ESSENTIAL
            if name in self._services
        ):
            return "unhealthy"
        if all(one.status == "healthy" for one in self._services.values()):
            return "healthy"
        return "degraded"


def engine_probes(engines: Iterable[EngineStatus]) -> tuple[Probe, ...]:
    """Each upstream of each pool as a part of its own, by its URL; one that stands in both pools
    is two parts."""
    engines = tuple(engines)
    names = Counter(engine.name for engine in engines)
    return tuple(
        Probe(
            engine.name if names[engine.name] == 1 else f"{engine.name} ({engine.pool})",
            engine.healthy,
            engine.latency_ms,
            url=engine.name if "://" in engine.name else None,
            detail=engine.detail,
            pool=engine.pool or None,
            kind=engine.kind,
        )
        for engine in engines
    )


def latency_trend(latencies_ms: Sequence[int]) -> Trend:
    """Whether answers take longer than they did; by medians, which one slow probe does not move."""
    if len(latencies_ms) < TREND_PROBES:
        return "unknown"
    recent = latencies_ms[-TREND_PROBES:]
    before = median(recent[: TREND_PROBES // 2])
    now = median(recent[TREND_PROBES // 2 :])
    if abs(now - before) < TREND_LEAST_MS:
        return "stable"
    if now >= before * TREND_RATIO:
        return "degrading"
    return "improving" if now * TREND_RATIO <= before else "stable"
