"""When the platform says that somebody speaks, mended where its events got lost. Session time."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestration.speakers.speaking_events import SpeakingSpan

MAX_INTERVALS = 20_000
"""Speaking intervals kept; the oldest go first: by then their words are long final."""

FLICKER_NS = 1_000_000_000
"""A shorter interval inside somebody else's is a cough or an indicator's flicker, not a turn."""

LEFT_OPEN_NS = 6_000_000_000
"""Somebody else's whole turn of this length since a start says that its stop got lost."""

MAX_INFERRED_NS = 10_000_000_000
"""A stop whose start got lost reaches back to the end of the turn before it, at most this far."""

LOOKBACK_INTERVALS = 64
"""Intervals before a word that are looked at; beyond it nobody has spoken without pause."""


@dataclass(frozen=True, slots=True, order=True)
class SpeakingInterval:
    """The platform's word that a participant spoke; `end_ns` is None while they still do.

    `inferred` when its start was not said; `overran` when its stop was not, and their next start
    has come: somewhere in between they were silent.
    """

    start_ns: int
    participant_id: str
    end_ns: int | None
    inferred: bool = False
    overran: bool = False


class SpeakingIntervals:
    """Intervals in order of start, from starts and stops of which some are missing."""

    def __init__(self, counts: Callable[[SpeakingInterval], bool] = lambda _: True) -> None:
        """`counts` says whose intervals name words; the bot's, for example, do not."""
        self._counts = counts
        self._closed: list[SpeakingInterval] = []
        self._open: dict[str, int] = {}
        self._cut: dict[str, SpeakingInterval] = {}
        self._latest_end_ns: int | None = None

    def started(self, participant_id: str, at_ns: int) -> list[SpeakingInterval]:
        """Somebody starts to speak; returns the intervals that this changes.

        A start without a stop goes on, unless somebody has had a turn since: then its stop got
        lost, and it ended where that turn began.
        """
        changed = self._cut_left_open(participant_id, FLICKER_NS)
        self._cut.pop(participant_id, None)
        start_ns = self._open.get(participant_id)
        if start_ns is not None and at_ns - start_ns >= FLICKER_NS:
            overran = SpeakingInterval(start_ns, participant_id, at_ns, overran=True)
            self._close(overran)
            changed.append(overran)
            start_ns = None
        self._open[participant_id] = at_ns if start_ns is None else start_ns
        changed.append(SpeakingInterval(self._open[participant_id], participant_id, None))
        return changed

    def stopped(self, participant_id: str, at_ns: int) -> list[SpeakingInterval]:
        """Somebody stops; returns the intervals that this changes.

        A stop whose start got lost ends a turn that began when the one before it ended.
        """
        changed = self._cut_left_open(participant_id, LEFT_OPEN_NS)
        start_ns = self._open.pop(participant_id, None)
        if start_ns is None:
            start_ns = self._taken_back(participant_id)
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

    def by_starts(self, spans: Iterable[SpeakingSpan]) -> list[SpeakingInterval]:
        """The turns of a platform that never says a stop; only those that count."""
        found = [SpeakingInterval(one.start_ns, one.who, one.end_ns) for one in spans]
        return [one for one in found if self._counts(one)]

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
        self._cut[participant_id] = cut
        return [cut]

    def _taken_back(self, participant_id: str) -> int | None:
        """Where a turn began that was ended too soon: its stop has come after all."""
        cut = self._cut.pop(participant_id, None)
        at = bisect_left(self._closed, cut) if cut is not None else len(self._closed)
        if cut is None or at == len(self._closed) or self._closed[at] != cut:
            return None
        del self._closed[at]
        return cut.start_ns


def is_flicker(interval: SpeakingInterval) -> bool:
    """Whether an interval is too short for a turn."""
    return interval.end_ns is not None and interval.end_ns - interval.start_ns < FLICKER_NS
