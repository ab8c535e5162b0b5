"""Starts and stops as the platform says them, and the turns that they make. Session time in ns."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orchestration.speakers.platform_habits import PlatformHabits

MAX_EVENTS = 5_000
"""Starts and stops in memory, hours of talk; the oldest go first: by then their words are
settled."""

SHORT_NS = 1_500_000_000
"""A shorter turn is an interjection, or an indicator's flicker."""

LOOKBACK_NS = 120_000_000_000
"""A turn that goes on longer than this has had a pause, and thereby a start of its own."""

MISSED_REPEATS = 2.5
"""A start that a platform repeats, and that did not come for so many intervals, has ended."""

STOP, START, STILL = range(3)
"""What is said of somebody; a repeated start says that they speak still."""

LAST_NAME = "\U0010ffff"
"""After all names."""

_Saying: TypeAlias = tuple[int, str, int]
"""When, of whom, and what."""


@dataclass(frozen=True, slots=True)
class SpeakingEvent:
    """The platform's word that somebody starts to speak, or stops."""

    at_ns: int
    who: str
    is_start: bool
    is_of_short: bool = False
    """Whether it is one of a start and a stop that are close together."""


@dataclass(frozen=True, slots=True)
class SpeakingSpan:
    """From somebody's start to the stop that follows it, None while it is to come."""

    who: str
    start_ns: int
    end_ns: int | None

    @property
    def is_short(self) -> bool:
        return self.end_ns is not None and self.end_ns - self.start_ns < SHORT_NS

    def common_ns(self, from_ns: int, to_ns: int) -> int:
        """How much of this time it covers; negative is the distance."""
        end_ns = to_ns if self.end_ns is None else min(self.end_ns, to_ns)
        return end_ns - max(self.start_ns, from_ns)


class SpeakingEvents:
    """All starts and stops by time, and what the platform's habits make of them."""

    def __init__(self) -> None:
        self._said: list[_Saying] = []
        self._habits = PlatformHabits()
        self._latest: dict[str, _Saying] = {}

    @property
    def says_stops(self) -> bool:
        """Whether the platform says when somebody stops."""
        return self._habits.says_stops

    def say(self, who: str, at_ns: int, *, is_start: bool) -> bool:
        """Take one; they may come out of order. Returns whether it is more than a start repeated
        while somebody speaks."""
        was_active = self._habits.active == who
        self._habits.said(who, at_ns, is_start=is_start)
        said, latest = (at_ns, who, START if is_start else STOP), self._latest.get(who)
        is_repeat = (
            is_start
            and latest is not None
            and (self.says_stops or was_active)
            and self._is_repeat(at_ns, latest)
        )
        if is_repeat and latest is not None:
            said = at_ns, who, STILL
            if latest[2] == STILL:
                del self._said[bisect_left(self._said, latest)]
        insort(self._said, said)
        if latest is None or latest[0] <= at_ns:
            self._latest[who] = said
        if len(self._said) > MAX_EVENTS:
            self._forget()
        return not is_repeat

    def began(self, before_ns: int) -> bool:
        """Whether anything is known of what the platform said before a moment."""
        return bool(self._said) and self._said[0][0] < before_ns

    def between(
        self, from_ns: int, to_ns: int, lag_ns: int
    ) -> tuple[list[SpeakingEvent], list[SpeakingSpan]]:
        """Events from and to these moments, and the turns that reach into them, the lag taken off.

        A start that another start of the same person follows makes no turn, nor does one after
        which somebody else has had one: a stop got lost. Where stops are never said, a turn goes
        on until somebody else's start.
        """
        first = bisect_left(self._said, (from_ns + lag_ns - LOOKBACK_NS,))
        after = bisect_right(self._said, (to_ns + lag_ns, LAST_NAME))
        near = self._said[first:after]
        if not self.says_stops:
            near = _with_stops(near)
        spans, short = self._spans(near, lag_ns)
        events = [
            SpeakingEvent(at_ns - lag_ns, who, kind == START, number in short)
            for number, (at_ns, who, kind) in enumerate(near)
            if at_ns >= from_ns + lag_ns and kind != STILL
        ]
        return events, [one for one in spans if one.common_ns(from_ns, to_ns) > 0]

    def newest(self, count: int) -> list[SpeakingSpan]:
        """The turns that the last events make, by the platform's own time."""
        near = self._said[-count:]
        return self._spans(near if self.says_stops else _with_stops(near), 0)[0]

    def _spans(
        self, near: Sequence[_Saying], lag_ns: int
    ) -> tuple[list[SpeakingSpan], Collection[int]]:
        """The turns, and the numbers of the starts and stops of short ones."""
        began: dict[str, int] = {}
        still_ns: dict[str, int] = {}
        spans: list[SpeakingSpan] = []
        short: set[int] = set()

        def close(who: str, end_ns: int, number: int) -> None:
            start = began.pop(who)
            span = SpeakingSpan(who, near[start][0] - lag_ns, end_ns - lag_ns)
            spans.append(span)
            if span.is_short:
                short.update((start, number))

        for number, (at_ns, who, kind) in enumerate(near):
            if kind == STILL:
                still_ns[who] = at_ns
            elif kind == STOP:
                if who in began:
                    close(who, at_ns, number)
            else:
                if who in began:
                    lapsed_ns = self._lapsed_ns(near[began[who]], still_ns.get(who), at_ns)
                    if lapsed_ns is not None:
                        close(who, lapsed_ns, began[who])
                began[who] = number
        for who, start in list(began.items()):
            lapsed_ns = self._lapsed_ns(near[start], still_ns.get(who), self._said[-1][0])
            if lapsed_ns is not None:
                close(who, lapsed_ns, start)
        goes_on = [SpeakingSpan(who, near[start][0] - lag_ns, None) for who, start in began.items()]
        return spans + [one for one in goes_on if not _is_over(one, spans)], short

    def _lapsed_ns(self, start: _Saying, still_ns: int | None, now_ns: int) -> int | None:
        """When a turn ended whose start is said no more, though this platform repeats it."""
        repeats_after_ns = self._habits.repeats_after_ns
        latest_ns = max(start[0], still_ns or start[0])
        if (
            repeats_after_ns is None
            or not self.says_stops
            or now_ns - latest_ns <= MISSED_REPEATS * repeats_after_ns
        ):
            return None
        return latest_ns + repeats_after_ns

    def _is_repeat(self, at_ns: int, latest: _Saying) -> bool:
        """Whether a start says that somebody speaks still."""
        repeats_after_ns = self._habits.repeats_after_ns
        return (
            latest[2] != STOP
            and repeats_after_ns is not None
            and 0 <= at_ns - latest[0] <= MISSED_REPEATS * repeats_after_ns
        )

    def _forget(self) -> None:
        del self._said[: MAX_EVENTS // 10]
        oldest = self._said[0]
        self._latest = {who: one for who, one in self._latest.items() if one >= oldest}


def _with_stops(said: Sequence[_Saying]) -> list[_Saying]:
    """Starts alone, each with a stop of whoever was active before it; a start of the same person
    again is none."""
    mended: list[_Saying] = []
    active: str | None = None
    for at_ns, who, kind in said:
        if kind == STOP:
            active = None if who == active else active
        elif who != active:
            if active is not None:
                mended.append((at_ns, active, STOP))
            active = who
        else:
            continue
        mended.append((at_ns, who, kind if kind == STOP else START))
    return mended


def _is_over(still_open: SpeakingSpan, spans: Sequence[SpeakingSpan]) -> bool:
    """Whether somebody else has had a whole turn since a start: then its stop got lost."""
    return any(
        one.who != still_open.who
        and one.end_ns is not None
        and not one.is_short
        and one.start_ns > still_open.start_ns
        for one in spans
    )
