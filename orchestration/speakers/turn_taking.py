"""Who has which turn, from starts and stops of which some are late, lost or false. Pure.

Words that are surely one person's are a unit; between two units the turn may pass to somebody else.
Each way in which the turns can have passed explains some of the platform's events and leaves others
unexplained, and needs events that never came. The forward-backward algorithm (Rabiner 1989) weighs
all ways at once and says for each unit how likely each person is. So a lost stop does not hold a
turn open, an interjection does not take it over, and what nothing tells stays open.

Weights are natural logarithms of likelihood ratios.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp

from orchestration.speakers.speaking_events import SpeakingEvent, SpeakingSpan
from orchestration.speakers.turn_units import TurnUnit

UNKNOWN = "?"
"""Somebody of whom the platform says nothing."""

MISSING = 2.2
"""Against a change of turns whose start or stop never came: one event in ten gets lost."""

EXPLAINED = 4.4
"""For a change of turns at a start or a stop, which otherwise would be false."""

EXPLAINED_SHORT = 1.3
"""The same where it belongs to an interjection: those are often not written down."""

CHANGE = 0.2
"""Against any change of turns after a pause or at the end of a sentence."""

CHANGE_INSIDE = 4.1
"""The same in the middle of a sentence."""

GOES_ON = 1.25
"""Against a change between two who both are said to go on: whisper writes down the one, then the
other. That takes no stop and no start."""

COVERED = 0.5
"""For a unit that lies in somebody's turn."""

COVERED_FIRST = 4.0
"""The same for the first unit, before which nothing is known."""

IS_INTERJECTION = 1.35
"""For a unit that begins and ends where an interjection does."""

JITTER_NS = 265_000_000
"""Standard deviation of an event from its word: an indicator's and whisper's together."""

OVERLAP_NS = 270_000_000
"""The next one's start may come this long before a turn passes, and a stop this long after it, at
no cost: people wait for each other's last words less than transcripts do."""

REACH_NS = 1_500_000_000
"""Events farther from a change than this do not belong to it."""

FITTING_NS = 400_000_000
"""A unit whose ends are this close to those of an interjection is that interjection."""

PAUSE_NS = 300_000_000
"""Somebody's stop and start in a pause of this length or more say that it was theirs."""

FOREVER_NS = 2**63
"""When a turn ends that goes on."""

LONG_PAUSE_NS = 1_500_000_000
"""Whoever goes on after a pause of this length has stopped, and starts anew."""


NEVER_CAME, BOTH_GO_ON = exp(-MISSING), exp(-GOES_ON)


@dataclass(frozen=True, slots=True)
class _Passing:
    """Between two units: a factor for each person's stop, start and going on, and for a change."""

    stops: Sequence[float]
    starts: Sequence[float]
    stays: Sequence[float]
    change: float


def turn_takers(
    units: Sequence[TurnUnit],
    events: Sequence[SpeakingEvent],
    spans: Sequence[SpeakingSpan],
    people: Sequence[str],
) -> list[Mapping[str, float]]:
    """For each unit, how likely each of `people` and UNKNOWN is, together 1.

    Args:
        units: what is said, in order.
        events: the platform's starts and stops by time, the lag taken off.
        spans: the turns of which both are known, or whose stop is still to come.
        people: whoever can have spoken, each once.
    """
    if not units:
        return []
    names = [*people, UNKNOWN]
    said = _Said(names, events, spans)
    heard = [said.evidence(unit) for unit in units]
    passings = [said.passing(before, after) for before, after in pairwise(units)]
    forward = [said.first(units[0], heard[0])]
    for passing, evidence in zip(passings, heard[1:], strict=True):
        forward.append(_step(forward[-1], passing.stops, passing.starts, passing, evidence))
    backward = [said.last(units[-1])]
    ones = [1.0] * len(names)
    for passing, evidence in zip(reversed(passings), reversed(heard[1:]), strict=True):
        later = [a * b for a, b in zip(backward[-1], evidence, strict=True)]
        backward.append(_step(later, passing.starts, passing.stops, passing, ones))
    backward.reverse()
    return [
        dict(zip(names, _normalised([a * b for a, b in zip(*both, strict=True)]), strict=True))
        for both in zip(forward, backward, strict=True)
    ]


def _step(
    before: Sequence[float],
    ends: Sequence[float],
    begins: Sequence[float],
    passing: _Passing,
    evidence: Sequence[float],
) -> list[float]:
    """One unit on, or with stops and starts in each other's places one back."""
    leaving = [a * b for a, b in zip(before, ends, strict=True)]
    total = sum(leaving)
    change = passing.change
    return _normalised(
        [
            factor * ((total - own) * change * begin + stayed * stay)
            for factor, own, begin, stayed, stay in zip(
                evidence, leaving, begins, before, passing.stays, strict=True
            )
        ]
    )


def _normalised(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    return [one / total for one in weights]


class _Said:
    """What the platform says of everybody, as factors in the order of `names`."""

    def __init__(
        self,
        names: Sequence[str],
        events: Sequence[SpeakingEvent],
        spans: Sequence[SpeakingSpan],
    ) -> None:
        self._index = {who: n for n, who in enumerate(names)}
        self._events = [one for one in events if one.who in self._index]
        self._at_ns = [one.at_ns for one in self._events]
        known = [one for one in spans if one.who in self._index]
        self._short = [one for one in known if one.is_short]
        self._long = [
            (one.start_ns, FOREVER_NS if one.end_ns is None else one.end_ns, self._index[one.who])
            for one in known
            if not one.is_short
        ]

    def evidence(self, unit: TurnUnit) -> Sequence[float]:
        """A factor for each person, by turns that the unit lies in and by its voice."""
        weights: dict[int, float] = {}
        for start_ns, end_ns, n in self._long:
            if start_ns < unit.end_ns and end_ns > unit.start_ns:
                common_ns = min(end_ns, unit.end_ns) - max(start_ns, unit.start_ns)
                weights[n] = max(weights.get(n, 0.0), COVERED * common_ns / unit.length_ns)
        for span in self._short:
            if _fits(unit, span):
                weights[self._index[span.who]] = IS_INTERJECTION
        if unit.voice in self._index:
            n = self._index[unit.voice]
            weights[n] = weights.get(n, 0.0) + unit.voice_weight
        factors = [1.0] * len(self._index)
        for n, weight in weights.items():
            factors[n] = exp(weight)
        return factors

    def first(self, unit: TurnUnit, evidence: Sequence[float]) -> list[float]:
        """Before the first unit anybody may have spoken, whoever was said to rather than others."""
        starts = [max(1.0, one) for one in self._explained(unit.start_ns, unit.start_ns)[1]]
        for start_ns, end_ns, n in self._long:
            common_ns = min(end_ns, unit.end_ns) - max(start_ns, unit.start_ns)
            if 2 * common_ns > unit.length_ns:
                starts[n] = max(starts[n], exp(COVERED_FIRST))
        return _normalised([a * b for a, b in zip(starts, evidence, strict=True)])

    def last(self, unit: TurnUnit) -> list[float]:
        """After the last unit nobody is known to speak."""
        stops, _ = self._explained(unit.end_ns, unit.end_ns)
        return _normalised(stops)

    def passing(self, before: TurnUnit, after: TurnUnit) -> _Passing:
        """What may happen between two units."""
        from_ns = min(before.end_ns, after.start_ns)
        to_ns = max(before.end_ns, after.start_ns)
        stops, starts = self._explained(from_ns, to_ns)
        pause_ns = to_ns - from_ns
        stays = [_stay(stop, start, pause_ns) for stop, start in zip(stops, starts, strict=True)]
        for start_ns, end_ns, n in self._long:
            if start_ns <= from_ns - JITTER_NS and to_ns + JITTER_NS <= end_ns:
                stops[n], starts[n] = max(stops[n], BOTH_GO_ON), max(starts[n], BOTH_GO_ON)
                # Whoever is said to speak all through a pause needs no stop and no start for it.
                stays[n] = 1.0
        change = CHANGE if after.follows_break else CHANGE_INSIDE
        return _Passing(stops, starts, stays, exp(-change))

    def _explained(self, from_ns: int, to_ns: int) -> tuple[list[float], list[float]]:
        """Factors of each person's stop and start between two moments."""
        stops = [NEVER_CAME] * len(self._index)
        starts = stops.copy()
        first = bisect_left(self._at_ns, from_ns - REACH_NS)
        after = bisect_right(self._at_ns, to_ns + REACH_NS)
        for event in self._events[first:after]:
            of_kind = starts if event.is_start else stops
            n = self._index[event.who]
            of_kind[n] = max(of_kind[n], exp(_explaining(event, from_ns, to_ns)))
        return stops, starts


def _explaining(event: SpeakingEvent, from_ns: int, to_ns: int) -> float:
    """The weight of an event for its being what happens between two moments."""
    free_before_ns, free_after_ns = (OVERLAP_NS, 0) if event.is_start else (0, OVERLAP_NS)
    off_ns = max(0, from_ns - free_before_ns - event.at_ns, event.at_ns - to_ns - free_after_ns)
    weight = EXPLAINED_SHORT if event.is_of_short else EXPLAINED
    return weight - (off_ns / JITTER_NS) ** 2 / 2


def _stay(stop: float, start: float, pause_ns: int) -> float:
    """The factor of going on: a pause may have a stop and a start, a long one must have them."""
    if pause_ns >= LONG_PAUSE_NS:
        return stop * start
    return stop * start if pause_ns >= PAUSE_NS and stop > 1 and start > 1 else 1.0


def _fits(unit: TurnUnit, span: SpeakingSpan) -> bool:
    """Whether a unit is an interjection as a whole."""
    return (
        span.end_ns is not None
        and abs(span.start_ns - unit.start_ns) <= FITTING_NS
        and abs(span.end_ns - unit.end_ns) <= FITTING_NS
        and span.common_ns(unit.start_ns, unit.end_ns) > 0
    )
