"""How many requests an upstream is given at once: as many as it serves without a queue of its own.

A gradient limit after Envoy's adaptive concurrency filter and Netflix's concurrency-limits: the
latency of an upstream that has little to do, over its latency now, says by how much the limit is
off; a root of the limit is added to find out whether there is room for more. A failure takes a
tenth off, as in Netflix's AIMD limit. What an idle upstream takes is measured again now and then,
with few requests at once, for it changes with models and neighbours.
"""

from dataclasses import dataclass, field
from math import sqrt

from orchestration.services.balancing.outliers import percentile

WINDOW_ANSWERS = 10
"""Answers, or as many as the limit allows at once where that is more, between two changes."""
TOLERANCE = 1.25
"""Latency may be this many times the idle upstream's without being called queueing."""
LEAST_GRADIENT, MOST_GRADIENT = 0.5, 2.0
"""One window changes the limit by no more than these factors, before the root is added."""
BACK_OFF = 0.9
"""A failure leaves this share of the limit."""
CALIBRATION_ANSWERS = 5
CALIBRATE_EVERY_MS = 120_000
"""An idle latency that is older is measured again when the limit is next reached."""


@dataclass(frozen=True, slots=True)
class LimitBounds:
    """Requests at once at one upstream: never fewer, never more, and how many to begin with."""

    fewest: int = 2
    most: int = 64
    initial: int = 16


@dataclass(slots=True)
class AdaptiveLimit:
    """One upstream's limit. Latencies are milliseconds; `under_way` counts the request itself."""

    bounds: LimitBounds
    idle_ms: int | None = None
    """Median latency while there were at most `bounds.fewest` requests under way."""
    usual_ms: int = 0
    """Median latency of the latest answers that the limit was set by."""
    is_calibrating: bool = False
    _limit: float = field(init=False)
    _window_ms: list[int] = field(default_factory=list)
    _window_most: int = 0
    _idle_sample_ms: list[int] = field(default_factory=list)
    _calibrated_ms: int = 0

    def __post_init__(self) -> None:
        self._limit = float(self.bounds.initial)

    @property
    def value(self) -> int:
        """Requests that may be under way."""
        return self.bounds.fewest if self.is_calibrating else int(self._limit)

    def bound(self, bounds: LimitBounds) -> None:
        """Stay within these from now on; what was found out is kept as far as it fits."""
        self.bounds = bounds
        self._set(self._limit)

    def answered(self, latency_ms: int, under_way: int, now_ms: int) -> None:
        """An answer to a request that began as the `under_way`-th at once."""
        if under_way <= self.bounds.fewest:
            self._take_idle_sample(latency_ms, now_ms)
            return
        if self.is_calibrating:
            return
        if under_way >= self.value and self._is_stale(now_ms):
            self.is_calibrating = True
            self._idle_sample_ms.clear()
            self._window_ms.clear()
            return
        self._window_ms.append(latency_ms)
        self._window_most = max(self._window_most, under_way)
        if len(self._window_ms) >= max(WINDOW_ANSWERS, self.value):
            self._adapt()

    def failed(self) -> None:
        """A request was not served."""
        self._set(self._limit * BACK_OFF)

    def _take_idle_sample(self, latency_ms: int, now_ms: int) -> None:
        self._idle_sample_ms.append(latency_ms)
        if len(self._idle_sample_ms) >= CALIBRATION_ANSWERS:
            self.idle_ms = percentile(self._idle_sample_ms, 500)
            self.usual_ms = self.idle_ms
            self._calibrated_ms = now_ms
            self._idle_sample_ms.clear()
            self.is_calibrating = False
            if self._limit <= self.bounds.fewest:
                # So low a limit lets no more requests through than idle samples are taken from.
                self._set(self._limit + sqrt(self._limit))

    def _is_stale(self, now_ms: int) -> bool:
        return self.idle_ms is None or now_ms - self._calibrated_ms >= CALIBRATE_EVERY_MS

    def _adapt(self) -> None:
        latency_ms = max(percentile(self._window_ms, 500), 1)
        self.usual_ms = latency_ms
        most = self._window_most
        self._window_ms.clear()
        self._window_most = 0
        if self.idle_ms is None:
            return
        gradient = TOLERANCE * max(self.idle_ms, 1) / latency_ms
        wanted = self._limit * min(max(gradient, LEAST_GRADIENT), MOST_GRADIENT)
        wanted += sqrt(self._limit)
        # A limit that nobody comes near says nothing about what lies above it.
        if wanted < self._limit or 2 * most >= self._limit:
            self._set(wanted)

    def _set(self, limit: float) -> None:
        self._limit = min(max(limit, self.bounds.fewest), self.bounds.most)
