"""Starts and stops as the platform says them, and the turns that they make. Session time in ns."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass

MAX_EVENTS = 5_000
"""Starts and stops in memory, hours of talk; the oldest go first: by then their words are
settled."""

SHORT_NS = 1_500_000_000
"""A shorter turn is an interjection, or an indicator's flicker."""

LOOKBACK_NS = 120_000_000_000
"""A turn that goes on longer than this has had a pause, and thereby a start of its own."""


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
    """All starts and stops by time."""

    def __init__(self) -> None:
        self._said: list[tuple[int, str, bool]] = []

    def say(self, who: str, at_ns: int, *, is_start: bool) -> None:
        """Take one; they may come out of order."""
        insort(self._said, (at_ns, who, is_start))
        if len(self._said) > MAX_EVENTS:
            del self._said[: MAX_EVENTS // 10]

    def began(self, before_ns: int) -> bool:
        """Whether anything is known of what the platform said before a moment."""
        return bool(self._said) and self._said[0][0] < before_ns

    def between(
        self, from_ns: int, to_ns: int, lag_ns: int
    ) -> tuple[list[SpeakingEvent], list[SpeakingSpan]]:
        """Events from and to these moments, and the turns that reach into them, the lag taken off.

        A start that another start of the same person follows makes no turn, nor does one after
        which somebody else has had one: a stop got lost.
        """
        first = bisect_left(self._said, (from_ns + lag_ns - LOOKBACK_NS,))
        after = bisect_right(self._said, (to_ns + lag_ns, "\U0010ffff"))
        near = self._said[first:after]
        began: dict[str, int] = {}
        spans: list[SpeakingSpan] = []
        short: set[int] = set()
        for number, (at_ns, who, is_start) in enumerate(near):
            if is_start:
                began[who] = number
            elif who in began:
                start = began.pop(who)
                span = SpeakingSpan(who, near[start][0] - lag_ns, at_ns - lag_ns)
                spans.append(span)
                short |= {start, number} if span.is_short else set()
        spans += [SpeakingSpan(who, near[start][0] - lag_ns, None) for who, start in began.items()]
        spans = [one for one in spans if one.end_ns is not None or not _is_over(one, spans)]
        events = [
            SpeakingEvent(at_ns - lag_ns, who, is_start, number in short)
            for number, (at_ns, who, is_start) in enumerate(near)
            if at_ns >= from_ns + lag_ns
        ]
        return events, [one for one in spans if one.common_ns(from_ns, to_ns) > 0]


def _is_over(still_open: SpeakingSpan, spans: Sequence[SpeakingSpan]) -> bool:
    """Whether somebody else has had a whole turn since a start: then its stop got lost."""
    return any(
        one.who != still_open.who
        and one.end_ns is not None
        and not one.is_short
        and one.start_ns > still_open.start_ns
        for one in spans
    )
