"""How fast a stream's sample clock runs against the service's clock, and where it stands.

A frame arrives late by what the network adds, never early, so the least delay of some seconds says
more than their mean. The rate comes from those minima, between steps; the sender's stamps say
which of the clocks, the capture and the network made a step.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

import numpy as np
from numpy.typing import NDArray

NS_PER_SECOND = 1_000_000_000
BIN_NS = 5 * NS_PER_SECOND
"""The least delay in this much audio is one entry."""
POOL_BINS = 120
"""Entries that the rate comes from: the last 10 minutes. The oldest are forgotten."""
MIN_PAIR_NS = 30 * NS_PER_SECOND
"""Two entries that are nearer to each other say little about the rate."""
STEP_NS = 15_000_000
"""A level that moves by more is another level: 300 ppm over a segment's last entries is less."""
AGREEING = 3
"""So many entries in a row make a new level; fewer that stand apart are spikes, and dropped."""
LEVEL_BINS = 6
"""Entries that say where the level was."""
RECENT = 12
"""Entries and stamps that are kept to tell what made a step."""
KNOWN_UNTIL_BINS = 60
"""A rate known from before is better than a new one of less than 5 minutes, if its error is."""
MAX_RATE_PPM = 300.0
"""No sound card is further off; an estimate beyond is cut to this."""
OFFSET_PERCENTILE = 10
MAX_ENTRIES = POOL_BINS + 2 * (RECENT + LEVEL_BINS + AGREEING)
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


@dataclass(frozen=True, slots=True)
class _Point:
    """At a stream's nominal time, how far a clock is ahead of it."""

    at_ns: int
    ahead_ns: int


class _Level:
    """The latest level of a series, and what may become a new one."""

    def __init__(self) -> None:
        self._settled: deque[_Point] = deque(maxlen=LEVEL_BINS)
        self._apart: deque[_Point] = deque(maxlen=AGREEING)
        self.recent: deque[_Point] = deque(maxlen=RECENT)
        self.left_ns = 0
        """Where the level before the latest was last seen."""

    @property
    def is_settled(self) -> bool:
        return bool(self._settled)

    def __len__(self) -> int:
        return len(self._settled) + len(self._apart) + len(self.recent)

    def add(self, point: _Point) -> list[_Point]:
        """The points that are now known to belong to the level: more than one if it is new."""
        self.recent.append(point)
        if self._settled and abs(point.ahead_ns - _middle(self._settled)) <= STEP_NS:
            self._apart.clear()
            self._settled.append(point)
            return [point]
        self._apart.append(point)
        aheads = [one.ahead_ns for one in self._apart]
        if len(aheads) < AGREEING or max(aheads) - min(aheads) > STEP_NS:
            return []
        level = list(self._apart)
        self._apart.clear()
        self.left_ns = self._settled[-1].at_ns if self._settled else level[0].at_ns
        self._settled = deque(level, maxlen=LEVEL_BINS)
        return level

    def step_between(self, left_ns: int, reached_ns: int, rate: float) -> int | None:
        """How far the points from `reached_ns` on stand from those up to `left_ns`.

        What lies between may be of either side. None when one side has no point.
        """
        before = [one for one in self.recent if one.at_ns <= left_ns][-AGREEING:]
        after = [one for one in self.recent if one.at_ns >= reached_ns][:AGREEING]
        if not before or not after:
            return None
        drift_ns = rate * (median(p.at_ns for p in after) - median(p.at_ns for p in before))
        return round(_middle(after) - _middle(before) - drift_ns)


class StreamClock:
    """The clock of one stream, from the arrivals of its frames and the stamps of its sender."""

    def __init__(self, sample_rate: int, known: ClockEstimate | None = None) -> None:
        """`known` is what an earlier clock of the same stream came to: its rate is taken up."""
        self._sample_rate = sample_rate
        self._known = known
        self._least: _Point | None = None
        self._newest_ns = self._stamped_bin = -1
        self._segment = 0
        self._rate = 0.0 if known is None else known.rate_ppm / 1e6
        self._pool: deque[tuple[int, _Point]] = deque(maxlen=POOL_BINS)
        self._arrivals = _Level()
        self._stamps = _Level()
        self._estimate: ClockEstimate | None = None

    def __len__(self) -> int:
        """Entries held: never more than `MAX_ENTRIES`."""
        return len(self._pool) + len(self._arrivals) + len(self._stamps)

    @property
    def estimate(self) -> ClockEstimate | None:
        """Rate and offset by the last 10 minutes; None before a level is known, some 15 s."""
        if self._estimate is None and any(segment == self._segment for segment, _ in self._pool):
            known = self._known if len(self._pool) < KNOWN_UNTIL_BINS else None
            self._estimate = _estimate(self._pool, self._segment, known)
        return self._estimate

    def arrived(self, end_sample: int, received_ns: int) -> ClockChange | None:
        """A frame that ends at `end_sample` was received. A frame sent again says nothing."""
        at_ns = self._nominal_ns(end_sample)
        if at_ns <= self._newest_ns:
            return None
        self._newest_ns = at_ns
        point = _Point(at_ns, received_ns - at_ns)
        least = self._least
        if least is None or at_ns // BIN_NS == least.at_ns // BIN_NS:
            self._least = point if least is None else min(least, point, key=_ahead)
            return None
        self._least = point
        return self._add_entry(least)

    def stamped(self, sample: int, unix_ms: int) -> ClockChange | None:
        """The sender captured `sample` at this moment of its wall clock. One in 5 s is enough."""
        at_ns = self._nominal_ns(sample)
        if at_ns // BIN_NS <= self._stamped_bin:
            return None
        self._stamped_bin = at_ns // BIN_NS
        was_settled = self._stamps.is_settled
        level = self._stamps.add(_Point(at_ns, unix_ms * 1_000_000 - at_ns))
        if not was_settled or len(level) < AGREEING:
            return None
        step_ns, arrivals_ns = self._steps(self._stamps, level[0], self._arrivals)
        if step_ns is None or arrivals_ns is None or abs(arrivals_ns) > STEP_NS:
            return None
        return self._change(ChangeKind.CLOCK_JUMP, level[0], step_ns)

    def reconnected(self) -> None:
        """The stream comes over another connection: its delay is another, its rate is not."""
        self._least = None
        self._segment += 1
        self._arrivals = _Level()
        self._estimate = None

    def _nominal_ns(self, sample: int) -> int:
        return sample * NS_PER_SECOND // self._sample_rate

    def _add_entry(self, entry: _Point) -> ClockChange | None:
        was_settled = self._arrivals.is_settled
        known = self.estimate
        level = self._arrivals.add(entry)
        if not level:
            return None
        self._rate = self._rate if known is None else known.rate_ppm / 1e6
        self._estimate = None
        stepped = was_settled and len(level) >= AGREEING
        self._segment += stepped
        self._pool.extend((self._segment, point) for point in level)
        if not stepped:
            return None
        step_ns, stamps_ns = self._steps(self._arrivals, level[0], self._stamps)
        return (
            None if step_ns is None else self._change(_cause(step_ns, stamps_ns), level[0], step_ns)
        )

    def _steps(self, own: _Level, first: _Point, other: _Level) -> tuple[int | None, int | None]:
        """How far the series that came to a new level has stepped, and the other one with it."""
        left_ns, reached_ns = own.left_ns, first.at_ns
        return (
            own.step_between(left_ns, reached_ns, self._rate),
            other.step_between(left_ns, reached_ns, self._rate),
        )

    def _change(self, kind: ChangeKind, first: _Point, step_ns: int) -> ClockChange:
        return ClockChange(kind, first.at_ns * self._sample_rate // NS_PER_SECOND, step_ns)


def _cause(step_ns: int, stamps_step_ns: int | None) -> ChangeKind:
    """Arrivals stepped. When the stamps did the same, samples are missing, or there twice."""
    if stamps_step_ns is None:
        return ChangeKind.UNEXPLAINED
    if abs(stamps_step_ns - step_ns) <= STEP_NS:
        return ChangeKind.CAPTURE_GAP if step_ns > 0 else ChangeKind.DUPLICATED_CAPTURE
    return ChangeKind.PATH_CHANGE if abs(stamps_step_ns) <= STEP_NS else ChangeKind.UNEXPLAINED


def _estimate(
    pool: deque[tuple[int, _Point]], newest: int, known: ClockEstimate | None
) -> ClockEstimate:
    """Theil and Sen's median of slopes within segments; the offset by the newest segment."""
    base_ns = pool[-1][1].ahead_ns
    segments = np.array([segment for segment, _ in pool])
    at_ns = np.array([point.at_ns for _, point in pool], dtype=np.float64)
    ahead_ns = np.array([point.ahead_ns - base_ns for _, point in pool], dtype=np.float64)

    apart_ns = at_ns[None, :] - at_ns[:, None]
    pairs = (apart_ns >= MIN_PAIR_NS) & (segments[None, :] == segments[:, None])
    rate, rate_error = 0.0, MAX_RATE_PPM / 1e6
    if pairs.any():
        slopes = (ahead_ns[None, :] - ahead_ns[:, None])[pairs] / apart_ns[pairs]
        rate = float(np.clip(np.median(slopes), -MAX_RATE_PPM / 1e6, MAX_RATE_PPM / 1e6))
    level = ahead_ns - rate * at_ns
    if pairs.any():
        scatter_ns = max(_scatter(level[segments == one]) for one in set(segments.tolist()))
        rate_error = min(rate_error, scatter_ns / float(apart_ns[pairs].max()))
    if known is not None and known.rate_error_ppm / 1e6 < rate_error:
        rate, rate_error = known.rate_ppm / 1e6, known.rate_error_ppm / 1e6
        level = ahead_ns - rate * at_ns

    now = segments == newest
    offset_ns = float(np.percentile(level[now], OFFSET_PERCENTILE))
    span_ns = float(np.ptp(at_ns[now]))
    error_ns = _scatter(level[now]) + rate_error * max(span_ns, BIN_NS)
    return ClockEstimate(rate * 1e6, rate_error * 1e6, base_ns + round(offset_ns), round(error_ns))


def _scatter(values: NDArray[np.float64]) -> float:
    """How far nine tenths of the values lie apart at most."""
    low, high = np.percentile(values, (5, 95))
    return float(high - low)


def _ahead(point: _Point) -> int:
    return point.ahead_ns


def _middle(points: deque[_Point] | list[_Point]) -> float:
    return median(point.ahead_ns for point in points)
