"""Where a series of clock readings stands, and when it has come to stand elsewhere."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from orchestration.timing.stream_clock_fit import MAX_RATE

STEP_NS = 15_000_000
"""A level that moves by more is another one, whatever is known of its rate and noise: 300 ppm over
a level's last entries is less."""
SMALL_STEP_NS = 3_000_000
"""Where noise is low and the rate is known, a level that moves by more is another one."""
STEP_SCATTERS = 6
"""So many median deviations of a level's entries are noise still, if they are more than
`SMALL_STEP_NS`."""
AGREEING = 3
"""So many entries in a row make a new level; fewer that stand apart are spikes, and dropped."""
LEVEL_BINS = 6
"""Entries that say where the level was."""
RECENT = 12
"""Entries that are kept to tell what made a step."""
MAX_POINTS = RECENT + LEVEL_BINS + AGREEING
"""What a level holds at most."""


@dataclass(frozen=True, slots=True)
class Point:
    """At a stream's nominal time, how far a clock is ahead of it."""

    at_ns: int
    ahead_ns: int


@dataclass(frozen=True, slots=True)
class Drift:
    """How fast a series moves, and how far that may be wrong, in nanoseconds for each."""

    rate: float = 0.0
    error: float = MAX_RATE

    def height(self, point: "Point") -> float:
        """How far ahead a clock would be at nominal time 0, by a point of later."""
        return point.ahead_ns - self.rate * point.at_ns


class Level:
    """The latest level of a series, and what may become a new one."""

    def __init__(self, smallest_step_ns: int = SMALL_STEP_NS) -> None:
        """A level that moves by less than `smallest_step_ns` is the same one."""
        self._smallest_step_ns = smallest_step_ns
        self._settled: deque[Point] = deque(maxlen=LEVEL_BINS)
        self._apart: deque[Point] = deque(maxlen=AGREEING)
        self._recent: deque[Point] = deque(maxlen=RECENT)
        self.left_ns = 0
        """Where the level before the latest was last seen."""

    @property
    def is_settled(self) -> bool:
        """Whether a level is known."""
        return bool(self._settled)

    def __len__(self) -> int:
        """Points held: never more than `MAX_POINTS`."""
        return len(self._settled) + len(self._apart) + len(self._recent)

    def add(self, point: Point, drift: Drift) -> list[Point]:
        """The points that are now known to belong to the level: more than one if it is new."""
        self._recent.append(point)
        step_ns = self._step_ns(point, drift)
        if self._settled:
            stands = (_height(one, point.at_ns, drift) for one in self._settled)
            if abs(point.ahead_ns - median(stands)) <= step_ns:
                self._apart.clear()
                self._settled.append(point)
                return [point]
        self._apart.append(point)
        aheads = [_height(one, point.at_ns, drift) for one in self._apart]
        if len(aheads) < AGREEING or max(aheads) - min(aheads) > step_ns:
            return []
        level = list(self._apart)
        self._apart.clear()
        self.left_ns = self._settled[-1].at_ns if self._settled else level[0].at_ns
        self._settled.clear()
        self._settled.extend(level)
        return level

    def step_between(self, left_ns: int, reached_ns: int, rate: float) -> int | None:
        """How far the points from `reached_ns` on stand from those up to `left_ns`.

        What lies between may be of either side. None when one side has no point.
        """
        before = [one for one in self._recent if one.at_ns <= left_ns][-AGREEING:]
        after = [one for one in self._recent if one.at_ns >= reached_ns][:AGREEING]
        if not before or not after:
            return None
        drift_ns = rate * (median(p.at_ns for p in after) - median(p.at_ns for p in before))
        return round(_middle(after) - _middle(before) - drift_ns)

    def _step_ns(self, point: Point, drift: Drift) -> float:
        """How far a point may stand from a level that it belongs to."""
        if not self._settled:
            return STEP_NS
        stands = [_height(one, point.at_ns, drift) for one in self._settled]
        middle = median(stands)
        noise_ns = STEP_SCATTERS * median(abs(one - middle) for one in stands)
        away_ns = point.at_ns - median(one.at_ns for one in self._settled)
        return min(STEP_NS, max(self._smallest_step_ns, noise_ns) + drift.error * away_ns)


def _height(point: Point, at_ns: int, drift: Drift) -> float:
    """How far ahead a clock is at `at_ns`, by a point of before."""
    return point.ahead_ns + drift.rate * (at_ns - point.at_ns)


def _middle(points: Sequence[Point]) -> float:
    return median(point.ahead_ns for point in points)
