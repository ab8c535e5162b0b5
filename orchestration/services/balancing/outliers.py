"""Who is unlike its peers: failing, or slower than their slowest answers by far."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

STREAK = 5
"""Failures and slow answers in a row after which an upstream is an outlier, unless it is said."""
SLOW_FACTOR = 5
"""An answer is slow beyond this many times its peers' p99.9: a pool may well mix processors and
graphics cards, and one that is merely slower still takes its share of the load."""
WINDOW_ANSWERS = 256
"""Latencies kept of each upstream; the oldest goes."""
FEWEST_ANSWERS = 50
"""With fewer answers from its peers no upstream is called slow."""


@dataclass(slots=True)
class Record:
    """One upstream's latest answers."""

    latencies_ms: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW_ANSWERS))
    streak: int = 0

    def answered(self, latency_ms: int, peers: Iterable["Record"]) -> bool:
        """Take note of an answer; says whether it was slow."""
        is_slow = _is_slow(latency_ms, peers)
        self.streak = self.streak + 1 if is_slow else 0
        self.latencies_ms.append(latency_ms)
        return is_slow

    def failed(self) -> None:
        self.streak += 1

    def forget(self) -> None:
        """Begin anew, as an upstream does that comes back: it may not be what it was."""
        self.latencies_ms.clear()
        self.streak = 0


def percentile(values: Iterable[int], per_mille: int) -> int:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    rank = -(-len(ordered) * per_mille // 1000)
    return ordered[max(rank - 1, 0)] if ordered else 0


def _is_slow(latency_ms: int, peers: Iterable[Record]) -> bool:
    theirs = list(chain.from_iterable(peer.latencies_ms for peer in peers))
    if len(theirs) < FEWEST_ANSWERS or latency_ms <= SLOW_FACTOR * min(theirs):
        return False
    return latency_ms > SLOW_FACTOR * percentile(theirs, 999)
