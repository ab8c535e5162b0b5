"""The rate of a sample clock from the least delays of its frames.

A frame's delay is the path's least and a rest that is never negative: the network's queues, the
sender's timer, the machine that was busy. A second whose quickest frame was slow says little, and
one that stands on the floor says nearly all: each counts by how far above the floor it stands.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BIN_NS = 5_000_000_000
"""The least delay in this much audio is one entry."""
CELL_NS = 1_000_000_000
"""The least delay in this much audio is one point of the fit."""
POOL_CELLS = 600
"""Points that the rate comes from: the last 10 minutes. The oldest are forgotten."""
MIN_PAIR_NS = 30_000_000_000
"""Two entries that are nearer to each other say little about the rate."""
MAX_RATE = 300e-6
"""No sound card is further off; an estimate beyond is cut to this."""
ROUNDS = 4
"""Of weighting and fitting: after the second the rate moves by less than a tenth of its error."""
LEAST_SCALE_NS = 1_000.0
"""Of point errors, where arrivals have no noise at all."""

_Numbers = NDArray[np.int64]
_Reals = NDArray[np.float64]


class Points(NamedTuple):
    """One of each a point, in order. Between two points of one segment nothing stepped."""

    segments: _Numbers
    at_ns: _Numbers
    """Nominal time."""
    ahead_ns: _Numbers
    """What a clock is ahead of it."""

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

    def __init__(self, size: int) -> None:
        """It holds `size` points, and forgets the oldest."""
        self._held = np.zeros((3, size), dtype=np.int64)
        self._count = 0

    def __len__(self) -> int:
        """Points held: never more than the size."""
        return self._count

    def add(self, segment: int, at_ns: int, ahead_ns: int) -> None:
        """Add the newest point; its segment is the newest, or one more."""
        if self._count == self._held.shape[1]:
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
class Entries:
    """The least point of each `BIN_NS`. `ahead_ns` is from `base_ns` on."""

    segments: _Numbers
    at_ns: _Reals
    ahead_ns: _Reals
    base_ns: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Nanoseconds for each, and a bound of its error by how far the entries scatter."""

    rate: float
    error: float


def entries_of(points: Points) -> Entries:
    """The least point of each `BIN_NS`, of one point at least."""
    bins = points.at_ns // BIN_NS
    order = np.lexsort((points.ahead_ns, bins))
    _, first = np.unique(bins[order], return_index=True)
    chosen = order[first]
    base_ns = int(points.ahead_ns[-1])
    return Entries(
        points.segments[chosen],
        points.at_ns[chosen].astype(np.float64),
        (points.ahead_ns[chosen] - base_ns).astype(np.float64),
        base_ns,
    )


def fit_rate(points: Points, entries: Entries) -> Rate:
    """The rate that all segments share.

    It begins with that of the entries. Then all points are fitted by least squares, weighted by
    their point errors e, how far they stand above the least of their segment: exp(-(e / scale)²),
    after Veitch, Ridoux and Korada, "Robust Synchronization of Absolute and Difference Clocks over
    Networks" (IEEE/ACM Transactions on Networking 17(2), 2009). The scale is the median point
    error, so that it follows the noise of path and machine.
    """
    pairs = _Pairs(entries)
    rate = pairs.rate()
    if rate is None:
        return Rate(0.0, MAX_RATE)
    rate = _by_point_errors(points, entries.base_ns, rate)
    return Rate(rate, pairs.error_of(rate))


def fit_entries(entries: Entries) -> Rate:
    """The rate by the entries alone: rougher than `fit_rate`, for a fraction of the work."""
    pairs = _Pairs(entries)
    rate = pairs.rate()
    return Rate(0.0, MAX_RATE) if rate is None else Rate(rate, pairs.error_of(rate))


def scatter(values: _Reals) -> float:
    """How far nine tenths of the values lie apart at most."""
    return quantile(values, 0.95) - quantile(values, 0.05)


def quantile(values: _Reals, share: float) -> float:
    """What `share` of the values are below, linear between two of them. NumPy's own takes twenty
    times as long for so few, and would be most of what a clock costs."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    low = float(ordered[below])
    return low + (float(ordered[above]) - low) * (place - below)


class _Pairs:
    """Pairs of entries of one segment, `MIN_PAIR_NS` apart or more."""

    def __init__(self, entries: Entries) -> None:
        apart_ns = entries.at_ns[None, :] - entries.at_ns[:, None]
        together = entries.segments[None, :] == entries.segments[:, None]
        self._entries = entries
        self._chosen = (apart_ns >= MIN_PAIR_NS) & together
        self._apart_ns = apart_ns[self._chosen]

    def rate(self) -> float | None:
        """Theil and Sen's median of slopes, which bears any third of the entries to be wrong.

        None when no two are far enough apart.
        """
        if not self._apart_ns.size:
            return None
        ahead_ns = self._entries.ahead_ns
        slopes = (ahead_ns[None, :] - ahead_ns[:, None])[self._chosen] / self._apart_ns
        return _clipped(quantile(slopes, 0.5))

    def error_of(self, rate: float) -> float:
        """A bound: how much slope the scatter about a rate allows."""
        segments = self._entries.segments
        level = self._entries.ahead_ns - rate * self._entries.at_ns
        scatter_ns = max(scatter(level[segments == one]) for one in set(segments.tolist()))
        return min(MAX_RATE, scatter_ns / float(self._apart_ns.max()))


def _by_point_errors(points: Points, base_ns: int, rate: float) -> float:
    segments, at_numbers, ahead_numbers = points
    at_ns = at_numbers.astype(np.float64)
    ahead_ns = (ahead_numbers - base_ns).astype(np.float64)
    starts = np.flatnonzero(np.diff(segments, prepend=segments[0] - 1))
    sizes = np.diff(starts, append=len(segments))
    for _ in range(ROUNDS):
        level = ahead_ns - rate * at_ns
        errors = level - np.repeat(np.minimum.reduceat(level, starts), sizes)
        scale = max(LEAST_SCALE_NS, quantile(errors, 0.5))
        weights = np.exp(-((errors / scale) ** 2))
        totals = np.add.reduceat(weights, starts)
        middles = np.add.reduceat(weights * at_ns, starts) / totals
        away_ns = at_ns - np.repeat(middles, sizes)
        spread = float(np.sum(weights * away_ns**2))
        if spread <= 0:
            break
        rate = _clipped(rate + float(np.sum(weights * away_ns * errors)) / spread)
    return rate


def _clipped(rate: float) -> float:
    return min(MAX_RATE, max(-MAX_RATE, rate))
