"""When the platform says that somebody speaks, mended where its events got lost. Session time."""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_INTERVALS = 20_000
"""Speaking intervals kept; the oldest go first: by then their words are long final."""

NEAREST_NS = 500_000_000
"""A word that no interval covers is its nearest neighbour's within this: whisper's word times
and a platform's indicator both stray by some hundred milliseconds."""

FLICKER_NS = 1_000_000_000
"""A shorter interval inside somebody else's is a cough or an indicator's flicker, not a turn."""

LEFT_OPEN_NS = 3_000_000_000
"""Somebody else's whole turn of this length since a start says that its stop got lost."""

MAX_INFERRED_NS = 10_000_000_000
"""A stop whose start got lost reaches back to the end of the turn before it, at most this far."""

MAX_BRIDGED_NS = 2_000_000_000
"""A pause of this length between two turns of one person, in which nobody else is said to speak,
is theirs as well: an indicator goes out at a breath."""

LOOKBACK_INTERVALS = 64
"""Intervals before a word that are looked at; beyond it nobody has spoken without pause."""


@dataclass(frozen=True, slots=True, order=True)
class SpeakingInterval:
    """The platform's word that a participant spoke; `end_ns` is None while they still do.

    `inferred` when its start was not said.
    """

    start_ns: int
    participant_id: str
    end_ns: int | None
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Voices:
    """Who is said to speak during a span, the longest first: nanoseconds, negative for a distance.

    `depth_ns` is how far the span lies inside the best one's interval, negative when it sticks out.
    """

    overlaps: tuple[tuple[str, int], ...]
    depth_ns: int = 0
    inferred: bool = False
    flickers: frozenset[str] = frozenset()
    """Who is said to speak for a moment inside somebody's turn."""

    @property
    def best(self) -> str | None:
        return self.overlaps[0][0] if self.overlaps else None

    @property
    def overlap_ns(self) -> int:
        return self.overlaps[0][1] if self.overlaps else 0

    @property
    def rival_ns(self) -> int:
        """What the second covers of the span, 0 for nothing."""
        return max(0, self.overlaps[1][1]) if len(self.overlaps) > 1 else 0


class SpeakingIntervals:
    """Intervals in order of start, from starts and stops of which some are missing."""

    def __init__(self, counts: Callable[[SpeakingInterval], bool] = lambda _: True) -> None:
        """`counts` says whose intervals name words; the bot's, for example, do not."""
        self._counts = counts
        self._closed: list[SpeakingInterval] = []
        self._open: dict[str, int] = {}
        self._latest_end_ns: int | None = None

    def started(self, participant_id: str, at_ns: int) -> list[SpeakingInterval]:
        """Somebody starts to speak; returns the intervals that this changes.

        A start without a stop goes on, unless somebody has had a turn since: then its stop got
        lost, and it ended where that turn began.
        """
        changed = self._cut_left_open(participant_id, FLICKER_NS)
        start_ns = self._open.setdefault(participant_id, at_ns)
        return [*changed, SpeakingInterval(start_ns, participant_id, None)]

    def stopped(self, participant_id: str, at_ns: int) -> list[SpeakingInterval]:
        """Somebody stops; returns the intervals that this changes.

        A stop whose start got lost ends a turn that began when the one before it ended.
        """
        changed = self._cut_left_open(participant_id, LEFT_OPEN_NS)
        start_ns = self._open.pop(participant_id, None)
        inferred = start_ns is None
        if start_ns is None:
            before_ns = self._latest_end_ns
            if before_ns is None or not 0 < at_ns - before_ns <= MAX_INFERRED_NS:
                return changed
            # While another is said to speak, one of the two is wrong about these seconds.
            start_ns = max(before_ns, at_ns - LEFT_OPEN_NS + 1) if self._open else before_ns
        interval = SpeakingInterval(start_ns, participant_id, max(start_ns, at_ns), inferred)
        self._close(interval)
        changed.append(interval)
        for other in list(self._open):
            changed += self._cut_left_open(other, LEFT_OPEN_NS)
        return changed

    def is_open(self, participant_id: str) -> bool:
        """Whether somebody is said to speak still."""
        return participant_id in self._open

    def newest(self, count: int) -> list[SpeakingInterval]:
        """The last closed ones in order, then the open ones; only those that count."""
        found = [*self._closed[-count:], *self._still_open()]
        return [one for one in found if self._counts(one)]

    def voices(self, start_ns: int, end_ns: int) -> Voices:
        """Who is said to speak during a span, or near it, or on both sides of it."""
        near = [one for one in self._near(start_ns, end_ns) if self._counts(one)]
        turns = [one for one in near if not is_flicker(one)]
        flickers: frozenset[str] = frozenset()
        if any(_overlap_ns(one, start_ns, end_ns) > 0 for one in turns):
            flickers = frozenset(
                one.participant_id
                for one in near
                if is_flicker(one) and _overlap_ns(one, start_ns, end_ns) > 0
            )
            near = turns
        best: dict[str, tuple[int, SpeakingInterval]] = {}
        for one in near:
            overlap_ns = _overlap_ns(one, start_ns, end_ns)
            if one.participant_id not in best or overlap_ns > best[one.participant_id][0]:
                best[one.participant_id] = (overlap_ns, one)
        # A person's own two turns beside the span outweigh whoever else is near.
        if not any(overlap_ns > 0 for overlap_ns, _ in best.values()):
            bridging = self._bridging(start_ns, end_ns)
            if bridging is not None:
                return Voices(((bridging, end_ns - start_ns),), 0, inferred=True)
        ranked = sorted(best.items(), key=lambda one: -one[1][0])
        ranked = [one for one in ranked if one[1][0] >= -NEAREST_NS]
        if not ranked:
            return Voices(())
        first = ranked[0][1][1]
        return Voices(
            tuple((who, overlap_ns) for who, (overlap_ns, _) in ranked),
            _depth_ns(first, start_ns, end_ns),
            first.inferred,
            flickers,
        )

    def _bridging(self, start_ns: int, end_ns: int) -> str | None:
        after = bisect_right(self._closed, start_ns, key=lambda one: one.start_ns)
        before = [one for one in self._closed[max(0, after - 4) : after] if self._counts(one)]
        later = [one for one in self._closed[after : after + 1] if self._counts(one)]
        if not before or not later:
            return None
        previous = max(before, key=lambda one: one.end_ns or 0)
        following = later[0]
        assert previous.end_ns is not None
        if following.start_ns - previous.end_ns > MAX_BRIDGED_NS or following.start_ns < end_ns:
            return None
        same = previous.participant_id == following.participant_id
        return previous.participant_id if same else None

    def _near(self, start_ns: int, end_ns: int) -> Iterator[SpeakingInterval]:
        after = bisect_right(self._closed, end_ns + NEAREST_NS, key=lambda one: one.start_ns)
        yield from self._closed[max(0, after - LOOKBACK_INTERVALS) : after]
        yield from self._still_open()

    def _still_open(self) -> list[SpeakingInterval]:
        return [SpeakingInterval(began, who, None) for who, began in self._open.items()]

    def _close(self, interval: SpeakingInterval) -> None:
        insort(self._closed, interval)
        assert interval.end_ns is not None
        self._latest_end_ns = max(self._latest_end_ns or 0, interval.end_ns)
        if len(self._closed) > MAX_INTERVALS:
            del self._closed[: MAX_INTERVALS // 10]

    def _cut_left_open(self, participant_id: str, turn_ns: int) -> list[SpeakingInterval]:
        """End an open interval where somebody else's whole turn began, if there was one."""
        began_ns = self._open.get(participant_id)
        if began_ns is None:
            return []
        first = bisect_right(self._closed, began_ns, key=lambda one: one.start_ns)
        turns = [
            one
            for one in self._closed[max(first, len(self._closed) - LOOKBACK_INTERVALS) :]
            if one.participant_id != participant_id and self._counts(one) and not is_flicker(one)
        ]
        if all(one.end_ns is None or one.end_ns - one.start_ns < turn_ns for one in turns):
            return []
        del self._open[participant_id]
        cut = SpeakingInterval(began_ns, participant_id, turns[0].start_ns)
        self._close(cut)
        return [cut]


def is_flicker(interval: SpeakingInterval) -> bool:
    """Whether an interval is too short for a turn."""
    return interval.end_ns is not None and interval.end_ns - interval.start_ns < FLICKER_NS


def _overlap_ns(interval: SpeakingInterval, start_ns: int, end_ns: int) -> int:
    """Nanoseconds in common; negative is the distance between the two."""
    interval_end_ns = end_ns if interval.end_ns is None else interval.end_ns
    if interval.end_ns is None and interval.start_ns > end_ns:
        interval_end_ns = interval.start_ns
    return min(end_ns, interval_end_ns) - max(start_ns, interval.start_ns)


def _depth_ns(interval: SpeakingInterval, start_ns: int, end_ns: int) -> int:
    after_ns = start_ns - interval.start_ns
    return after_ns if interval.end_ns is None else min(after_ns, interval.end_ns - end_ns)
