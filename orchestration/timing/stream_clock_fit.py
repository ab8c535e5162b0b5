"""The rate of a sample clock from the least delays of its frames.

A frame's delay is the path's least and a rest that is never negative: the network's queues, the
sender's timer, the machine that was busy. A second whose quickest frame was slow says little, and
one that stands on the floor says nearly all: each counts by how far above the floor it stands.
"""

from dataclasses import dataclass

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


class Pool:
    """The points of a stream's levels, in order: segment, nominal time, and what a clock is ahead.

    Between two points of one segment nothing stepped.
    """

    def __init__(self) -> None:
        self._held = np.zeros((3, POOL_CELLS), dtype=np.int64)
        self._count = 0

    def __len__(self) -> int:
        """Points held: never more than `POOL_CELLS`."""
        return self._count

    def add(self, segment: int, at_ns: int, ahead_ns: int) -> None:
        """Add the newest point; its segment is the newest, or one more."""
        if self._count == POOL_CELLS:
            self._held[:, :-1] = self._held[:, 1:]
            self._count -= 1
        self._held[:, self._count] = segment, at_ns, ahead_ns
        self._count += 1

    def has(self, segment: int) -> bool:
        """Whether the newest points are of this segment."""
        return self._count > 0 and int(self._held[0, self._count - 1]) == segment

    def points(self) -> tuple[_Numbers, _Numbers, _Numbers]:
        """Segments, nominal times in ns, and ns ahead, one of each a point."""
        segments, at_ns, ahead_ns = self._held[:, : self._count]
        return segments, at_ns, ahead_ns


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


def entries_of(pool: Pool) -> Entries:
    """The least point of each `BIN_NS` of a pool that is not empty."""
    segments, at_ns, ahead_ns = pool.points()
    bins = at_ns // BIN_NS
    order = np.lexsort((ahead_ns, bins))
    _, first = np.unique(bins[order], return_index=True)
    chosen = order[first]
    base_ns = int(ahead_ns[-1])
    return Entries(
        segments[chosen],
        at_ns[chosen].astype(np.float64),
        (ahead_ns[chosen] - base_ns).astype(np.float64),
        base_ns,
    )


def fit_rate(pool: Pool, entries: Entries) -> Rate:
    """The rate that all segments share.

    It begins with Theil and Sen's median of slopes between entries, which bears any third of them
    to be wrong. Then all points are fitted by least squares, weighted by their point errors e, how
    far they stand above the least of their segment: exp(-(e / scale)²), after Veitch, Ridoux and
    Korada, "Robust Synchronization of Absolute and Difference Clocks over Networks" (IEEE/ACM
    Transactions on Networking 17(2), 2009). The scale is the median point error, so that it
    follows the noise of path and machine.
    """
    apart_ns = entries.at_ns[None, :] - entries.at_ns[:, None]
    together = entries.segments[None, :] == entries.segments[:, None]
    pairs = (apart_ns >= MIN_PAIR_NS) & together
    if not pairs.any():
        return Rate(0.0, MAX_RATE)
    apart_ns = apart_ns[pairs]
    slopes = (entries.ahead_ns[None, :] - entries.ahead_ns[:, None])[pairs] / apart_ns
    rate = _by_point_errors(pool, entries.base_ns, _clipped(float(np.median(slopes))))
    level = entries.ahead_ns - rate * entries.at_ns
    scatter_ns = max(
        scatter(level[entries.segments == one]) for one in set(entries.segments.tolist())
    )
    return Rate(rate, min(MAX_RATE, scatter_ns / float(apart_ns.max())))


def scatter(values: _Reals) -> float:
    """How far nine tenths of the values lie apart at most."""
    low, high = np.percentile(values, (5, 95))
    return float(high - low)


def _by_point_errors(pool: Pool, base_ns: int, rate: float) -> float:
    segments, at_numbers, ahead_numbers = pool.points()
    at_ns = at_numbers.astype(np.float64)
    ahead_ns = (ahead_numbers - base_ns).astype(np.float64)
    starts = np.flatnonzero(np.diff(segments, prepend=segments[0] - 1))
    sizes = np.diff(starts, append=len(segments))
    for _ in range(ROUNDS):
        level = ahead_ns - rate * at_ns
        errors = level - np.repeat(np.minimum.reduceat(level, starts), sizes)
        scale = max(LEAST_SCALE_NS, float(np.median(errors)))
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
