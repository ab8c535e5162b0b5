"""How a meeting platform says who speaks, learnt from what it has said. Session time in ns.

Most say when somebody starts and stops. Some tell the active speaker alone, and so never say a
stop; some say the start again and again while somebody speaks.
"""

from collections import deque
from statistics import median

MIN_TURNS = 6
"""Below this many turns and repeated starts nothing is learnt."""

STOPS_OF_TURNS = 0.1
"""Fewer stops for each turn than this are none: whoever leaves stops on any platform."""

REPEATS_OF_TURNS = 0.5
"""From so many repeated starts for each turn on they are a habit. Otherwise a stop got lost, which
is rarer."""

REMEMBERED_GAPS = 30
"""Repeated starts of which it is remembered how long after the last one they came."""


class PlatformHabits:
    """Whether stops are said at all, and whether starts are repeated."""

    def __init__(self) -> None:
        self._turns = 0
        self._stops = 0
        self._repeats = 0
        self._gaps_ns = deque[int](maxlen=REMEMBERED_GAPS)
        self._latest: tuple[str, int] | None = None

    @property
    def active(self) -> str | None:
        """Whose start was the last one, if they have not stopped."""
        return None if self._latest is None else self._latest[0]

    @property
    def says_stops(self) -> bool:
        """Whether a turn ends by a stop; otherwise the next one's start ends it."""
        return self._turns < MIN_TURNS or self._stops >= STOPS_OF_TURNS * self._turns

    @property
    def repeats_after_ns(self) -> int | None:
        """How long after a start it is said again, None if it is not."""
        if self._repeats < max(MIN_TURNS, REPEATS_OF_TURNS * self._turns):
            return None
        return int(median(self._gaps_ns))

    def said(self, who: str, at_ns: int, *, is_start: bool) -> None:
        """Learn from a start or a stop, in the order in which they come."""
        is_same = self._latest is not None and self._latest[0] == who
        if not is_start:
            self._stops += 1
            self._latest = None if is_same else self._latest
            return
        if self._latest is not None and is_same:
            self._repeats += 1
            self._gaps_ns.append(max(0, at_ns - self._latest[1]))
        else:
            self._turns += 1
        self._latest = who, at_ns
