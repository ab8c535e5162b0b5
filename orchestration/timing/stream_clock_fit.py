"""The rate of a sample clock from the least delays of its frames.

A frame's delay is the path's least and a rest that is never negative: the network's queues, the
sender's timer, the machine that was busy. Seconds whose quickest frame was slow say little, and
those that stand on the floor say nearly all: they count by how far above the floor they stand.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BIN_NS = 5_000_000_000
"""The least delay in this much audio is one point."""
POOL_POINTS = 120
"""Points that the rate comes from: the last 10 minutes. The oldest are forgotten."""
MIN_PAIR_NS = 30_000_000_000
"""Two points that are nearer to each other say little about the rate."""
MAX_RATE = 300e-6
"""No sound card is further off; an estimate beyond is cut to this."""
ROUNDS = 20
"""Of weighting and fitting, at most. Where a busy path turned the beginning, a dozen are needed."""
SETTLED = 0.01e-6
"""A round that moves the rate by less is the last one: mostly the fourth."""
SCALE_SHARE = 0.3
"""Of the point errors that are below the scale. By the median, a path that is congested for nearly
half of the pool turns the rate."""
LEAST_SCALE_NS = 1_000.0
"""Of point errors, where arrivals have no noise at all."""

Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]


class Points(NamedTuple):
    """One of each a point, in order. Between two points of one segment nothing stepped."""

    segments: Numbers
    at_ns: Numbers
    """Nominal time."""
    ahead_ns: Numbers
    """What a clock is ahead of it."""

    @property
    def base_ns(self) -> int:
        """What `real` takes from `ahead_ns`, whose nanoseconds a float would lose."""
        return int(self.ahead_ns[-1])

    def real(self) -> tuple[Reals, Reals]:
        """Nominal times, and ns ahead from `base_ns` on; of one point at least."""
        return self.at_ns.astype(np.float64), (self.ahead_ns - self.base_ns).astype(np.float64)

    def since(self, at_ns: int) -> "Points":
        """The points from `at_ns` on."""
        first = int(np.searchsorted(self.at_ns, at_ns))
        return Points(*(numbers[first:] for numbers in self))

    def before(self, at_ns: int) -> "Points":
        """The points up to `at_ns`."""
        first = int(np.searchsorted(self.at_ns, at_ns))
        return Points(*(numbers[:first] for numbers in self))


class Pool:
    """The points of a series' levels."""

    def __init__(self) -> None:
        self._held = np.zeros((3, POOL_POINTS), dtype=np.int64)
        self._count = 0

    def __len__(self) -> int:
        """Points held: never more than `POOL_POINTS`."""
        return self._count

    def add(self, segment: int, at_ns: int, ahead_ns: int) -> None:
        """Add the newest point; its segment is the newest, or one more."""
        if self._count == POOL_POINTS:
            self._held[:, :-1] = self._held[:, 1:]
            self._count -= 1
        self._held[:, self._count] = segment, at_ns, ahead_ns
        self._count += 1

    def has(self, segment: int) -> bool:
        """Whether the newest points are of this segment."""
        return self._count > 0 and int(self._held[0, self._count - 1]) == segment

    def points(self) -> Points:
        """What is held, not copied: as it is until the next change."""
        return Points(*self._held[:, : self._count])

    def forget_before(self, at_ns: int) -> None:
        """Keep the points from `at_ns` on."""
        kept = np.array(self.points().since(at_ns))
        self._count = kept.shape[1]
        self._held[:, : self._count] = kept


@dataclass(frozen=True, slots=True)
class Rate:
    """Nanoseconds for each, and a bound of its error by how far the points scatter."""

    rate: float
    error: float


def fit_rate(points: Points) -> Rate:
    """The rate that all segments share.

    It begins with Theil and Sen's median of slopes. Then all points are fitted by least squares,
    weighted by their point errors e, how far they stand above the least of their segment:
    exp(-e / scale), after Veitch, Ridoux and Korada, "Robust Synchronization of Absolute and
    Difference Clocks over Networks" (IEEE/ACM Transactions on Networking 17(2), 2009), who square.
    The scale is a quantile of the point errors, so that it follows the noise of path and machine.
    """
    at_ns, ahead_ns = points.real()
    pairs = _Pairs(points.segments, at_ns, ahead_ns)
    rate = pairs.rate()
    if rate is None:
        return Rate(0.0, MAX_RATE)
    rate = _by_point_errors(points.segments, at_ns, ahead_ns, rate)
    return Rate(rate, pairs.error_of(rate))


def median_rate(points: Points) -> Rate:
    """The median of slopes alone: rougher than `fit_rate`, for a fraction of the work."""
    pairs = _Pairs(points.segments, *points.real())
    rate = pairs.rate()
    return Rate(0.0, MAX_RATE) if rate is None else Rate(rate, pairs.error_of(rate))


def scatter(values: Reals) -> float:
    """How far nine tenths of the values lie apart at most."""
    return quantile(values, 0.95) - quantile(values, 0.05)


def quantile(values: Reals, share: float) -> float:
    """What `share` of the values are below, linear between two of them. NumPy's own takes twenty
    times as long for so few, and would be most of what a clock costs."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    low = float(ordered[below])
    return low + (float(ordered[above]) - low) * (place - below)


class _Pairs:
    """Pairs of points of one segment, `MIN_PAIR_NS` apart or more."""

    def __init__(self, segments: Numbers, at_ns: Reals, ahead_ns: Reals) -> None:
        apart_ns = at_ns[None, :] - at_ns[:, None]
        together = segments[None, :] == segments[:, None]
        self._segments, self._at_ns, self._ahead_ns = segments, at_ns, ahead_ns
        self._chosen = (apart_ns >= MIN_PAIR_NS) & together
        self._apart_ns = apart_ns[self._chosen]

    def rate(self) -> float | None:
        """Theil and Sen's median of slopes, which bears any third of the points to be wrong.

        None when no two are far enough apart.
        """
        if not self._apart_ns.size:
            return None
        rises_ns = (self._ahead_ns[None, :] - self._ahead_ns[:, None])[self._chosen]
        return _clipped(quantile(rises_ns / self._apart_ns, 0.5))

    def error_of(self, rate: float) -> float:
        """A bound: how much slope the scatter about a rate allows."""
        level = self._ahead_ns - rate * self._at_ns
        scatter_ns = max(
            scatter(level[self._segments == one]) for one in set(self._segments.tolist())
        )
        return min(MAX_RATE, scatter_ns / float(self._apart_ns.max()))


def _by_point_errors(segments: Numbers, at_ns: Reals, ahead_ns: Reals, rate: float) -> float:
    starts = np.flatnonzero(np.diff(segments, prepend=segments[0] - 1))
    sizes = np.diff(starts, append=len(segments))
    for _ in range(ROUNDS):
        level = ahead_ns - rate * at_ns
        errors = level - np.repeat(np.minimum.reduceat(level, starts), sizes)
        scale = max(LEAST_SCALE_NS, quantile(errors, SCALE_SHARE))
        weights = np.exp(-errors / scale)
        totals = np.add.reduceat(weights, starts)
        middles = np.add.reduceat(weights * at_ns, starts) / totals
        away_ns = at_ns - np.repeat(middles, sizes)
        spread = float(np.sum(weights * away_ns**2))
        if spread <= 0:
            break
        before = rate
        rate = _clipped(rate + float(np.sum(weights * away_ns * errors)) / spread)
        if abs(rate - before) < SETTLED:
            break
    return rate


def _clipped(rate: float) -> float:
    return min(MAX_RATE, max(-MAX_RATE, rate))
