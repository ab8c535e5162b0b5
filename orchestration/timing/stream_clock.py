"""How fast a stream's sample clock runs against the service's clock, and where it stands.

A frame arrives late by what the network adds, never early, so the least delay of some seconds says
more than their mean. The rate comes from those minima, between steps; the sender's stamps say
which of the clocks, the capture and the network made a step.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from orchestration.timing.stream_clock_change import new_rate_since
from orchestration.timing.stream_clock_fit import (
    BIN_NS,
    POOL_POINTS,
    Points,
    Pool,
    Rate,
    fit_rate,
    quantile,
    scatter,
)
from orchestration.timing.stream_clock_levels import (
    AGREEING,
    MAX_POINTS,
    STEP_NS,
    Drift,
    Level,
    Point,
)
from orchestration.timing.units import NS_PER_SECOND

KNOWN_UNTIL_BINS = 60
"""A rate known from before is better than a new one of less than 5 minutes, if its error is."""
OFFSET_SHARE = 0.1
OFFSET_BINS = 24
"""Entries that say where a stream stands: of the last 2 minutes. Where a sender changes its device,
and with it the rate, the offset follows before half of the pool is new."""
MAX_ENTRIES = 2 * (POOL_POINTS + MAX_POINTS)
"""What a clock holds at most, however long the meeting."""


class ChangeKind(StrEnum):
    """What made a stream's samples and the clocks step against each other."""

    CAPTURE_GAP = "capture_gap"
    DUPLICATED_CAPTURE = "duplicated_capture"
    PATH_CHANGE = "path_change"
    CLOCK_JUMP = "clock_jump"
    UNEXPLAINED = "unexplained"
    """The sender gives no stamps, so that capture and network cannot be told apart."""


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A step of `step_ns` that was there by `at_sample`, and began at most 10 s before.

    Steps of up to `STEP_NS` are none: stamps are too coarse to say what made them.
    A positive step: frames arrive, or are stamped, later than their samples say.
    """

    kind: ChangeKind
    at_sample: int
    step_ns: int


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """Sample n is received at the earliest at n's nominal time · (1 + rate) + offset.

    `offset_ns` contains the network's least delay, which one-way arrivals cannot tell. Both errors
    are bounds by how far the entries scatter.
    """

    rate_ppm: float
    rate_error_ppm: float
    offset_ns: int
    offset_error_ns: int

    def received_ns(self, sample: int, sample_rate: int) -> int:
        """The service's clock when `sample` is received, by the quickest path."""
        nominal_ns = sample * NS_PER_SECOND // sample_rate
        return nominal_ns + round(nominal_ns * self.rate_ppm / 1e6) + self.offset_ns


class StreamClock:
    """The clock of one stream, from the arrivals of its frames and the stamps of its sender."""

    def __init__(self, sample_rate: int, known: ClockEstimate | None = None) -> None:
        """`known` is what an earlier clock of the same stream came to: its rate is taken up."""
        self._sample_rate = sample_rate
        self._known = known
        self._least: Point | None = None
        self._newest_ns = self._stamped_bin = -1
        self._segment = self._stamps_segment = 0
        self._drift = Drift() if known is None else _drift(known)
        self._pool = Pool()
        self._stamps_pool = Pool()
        self._arrivals = Level()
        self._stamps = Level(STEP_NS)
        self._estimate: ClockEstimate | None = None

    def __len__(self) -> int:
        """Entries held: never more than `MAX_ENTRIES`."""
        series = (self._pool, self._stamps_pool, self._arrivals, self._stamps)
        return sum(len(one) for one in series)

    @property
    def estimate(self) -> ClockEstimate | None:
        """Rate and offset by the last 10 minutes; None before a level is known, some 15 s."""
        if self._estimate is None and self._pool.has(self._segment):
            self._estimate = _estimate(self._pool.points(), self._segment, self._known)
        return self._estimate

    def arrived(self, end_sample: int, received_ns: int) -> ClockChange | None:
        """A frame that ends at `end_sample` was received. A frame sent again says nothing."""
        at_ns = self._nominal_ns(end_sample)
        if at_ns <= self._newest_ns:
            return None
        self._newest_ns = at_ns
        point = Point(at_ns, received_ns - at_ns)
        least = self._least
        if least is not None and at_ns // BIN_NS == least.at_ns // BIN_NS:
            self._least = min(least, point, key=self._drift.height)
            return None
        self._least = point
        return None if least is None else self._add_entry(least)

    def stamped(self, sample: int, unix_ms: int) -> ClockChange | None:
        """The sender captured `sample` at this moment of its wall clock. One in 5 s is enough."""
        at_ns = self._nominal_ns(sample)
        if at_ns // BIN_NS <= self._stamped_bin:
            return None
        self._stamped_bin = at_ns // BIN_NS
        was_settled = self._stamps.is_settled
        level = self._stamps.add(Point(at_ns, unix_ms * 1_000_000 - at_ns), Drift())
        stepped = was_settled and len(level) >= AGREEING
        self._stamps_segment += stepped
        for stamp in level:
            self._stamps_pool.add(self._stamps_segment, stamp.at_ns, stamp.ahead_ns)
        if not stepped:
            return None
        step_ns, arrivals_ns = self._steps(self._stamps, level[0], self._arrivals)
        if step_ns is None or arrivals_ns is None or abs(arrivals_ns) > STEP_NS:
            return None
        return self._change(ChangeKind.CLOCK_JUMP, level[0], step_ns)

    def reconnected(self) -> None:
        """The stream comes over another connection: its delay is another, its rate is not."""
        self._least = None
        self._segment += 1
        self._arrivals = Level()
        self._estimate = None

    def _nominal_ns(self, sample: int) -> int:
        return sample * NS_PER_SECOND // self._sample_rate

    def _add_entry(self, entry: Point) -> ClockChange | None:
        was_settled = self._arrivals.is_settled
        known = self.estimate
        self._drift = self._drift if known is None else _drift(known)
        level = self._arrivals.add(entry, self._drift)
        if not level:
            return None
        self._estimate = None
        stepped = was_settled and len(level) >= AGREEING
        self._segment += stepped
        for one in level:
            self._pool.add(self._segment, one.at_ns, one.ahead_ns)
        self._forget_an_old_rate()
        if not stepped:
            return None
        step_ns, stamps_ns = self._steps(self._arrivals, level[0], self._stamps)
        if step_ns is None or abs(step_ns) <= STEP_NS:
            return None
        return self._change(_cause(step_ns, stamps_ns), level[0], step_ns)

    def _forget_an_old_rate(self) -> None:
        estimate = self.estimate
        if estimate is None:
            return
        rate = Rate(estimate.rate_ppm / 1e6, estimate.rate_error_ppm / 1e6)
        since_ns = new_rate_since(self._pool.points(), rate, self._stamps_pool.points())
        if since_ns is not None:
            self._pool.forget_before(since_ns)
            self._known = self._estimate = None

    def _steps(self, own: Level, first: Point, other: Level) -> tuple[int | None, int | None]:
        """How far the series that came to a new level has stepped, and the other one with it."""
        left_ns, reached_ns = own.left_ns, first.at_ns
        return (
            own.step_between(left_ns, reached_ns, self._drift.rate),
            other.step_between(left_ns, reached_ns, self._drift.rate),
        )

    def _change(self, kind: ChangeKind, first: Point, step_ns: int) -> ClockChange:
        return ClockChange(kind, first.at_ns * self._sample_rate // NS_PER_SECOND, step_ns)


def _cause(step_ns: int, stamps_step_ns: int | None) -> ChangeKind:
    """Arrivals stepped. When the stamps did the same, samples are missing, or there twice."""
    if stamps_step_ns is None:
        return ChangeKind.UNEXPLAINED
    if abs(stamps_step_ns - step_ns) <= STEP_NS:
        return ChangeKind.CAPTURE_GAP if step_ns > 0 else ChangeKind.DUPLICATED_CAPTURE
    return ChangeKind.PATH_CHANGE if abs(stamps_step_ns) <= STEP_NS else ChangeKind.UNEXPLAINED


def _estimate(points: Points, newest: int, known: ClockEstimate | None) -> ClockEstimate:
    """The rate by all segments, or as it was known; the offset by the newest segment."""
    fitted = fit_rate(points)
    rate, rate_error = fitted.rate, fitted.error
    is_new = len(points.at_ns) < KNOWN_UNTIL_BINS
    if known is not None and is_new and known.rate_error_ppm / 1e6 < rate_error:
        rate, rate_error = known.rate_ppm / 1e6, known.rate_error_ppm / 1e6

    now = points.segments == newest
    now[:-OFFSET_BINS] = False
    at_ns, ahead_ns = (one[now] for one in points.real())
    level = ahead_ns - rate * at_ns
    offset_ns = points.base_ns + round(quantile(level, OFFSET_SHARE))
    error_ns = scatter(level) + rate_error * max(float(np.ptp(at_ns)), BIN_NS)
    return ClockEstimate(rate * 1e6, rate_error * 1e6, offset_ns, round(error_ns))


def _drift(estimate: ClockEstimate) -> Drift:
    return Drift(estimate.rate_ppm / 1e6, estimate.rate_error_ppm / 1e6)
