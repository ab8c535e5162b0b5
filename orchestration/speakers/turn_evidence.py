"""What a platform's starts and stops say of units and of what is between them. Pure.

Weights are natural logarithms of likelihood ratios, in arrays with a column for each name.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from orchestration.speakers.speaking_events import SHORT_NS, SpeakingEvent, SpeakingSpan
from orchestration.speakers.speaking_states import Floats
from orchestration.speakers.turn_units import TurnUnit
from orchestration.speakers.unit_voices import PAUSE_NS

MISSING = 3.3
"""Against a start or a stop that never came."""

EXPLAINED = 7.0
"""For somebody who starts or stops where the platform says so, which otherwise would be false."""

GOES_ON = 4.0
"""Added for the start of a turn that goes on and is longer than a flicker already: it has a stop
that is yet to come."""

EXPLAINED_SHORT = 4.6
"""The same where start and stop are close together: an indicator flickers, too."""

VISIT = -4.0
"""Added for a start and a stop between the same two units: nothing that was said is written."""

IS_INTERJECTION = 2.3
"""For a unit that begins and ends where an interjection does."""

COVERED_FIRST = 2.75
"""For the first unit, before which nothing is known, if it lies in somebody's turn."""

JITTER_NS = 150_000_000
"""Standard deviation of an event from its word: an indicator's and whisper's together."""

EARLY_NS = 250_000_000
"""After a pause a start may come this long after the first word at no cost: whisper lets words
begin early."""

REACH_NS = 1_500_000_000
"""Events farther from a change than this do not belong to it."""

FITTING_NS = 400_000_000
"""A unit whose ends are this close to those of an interjection is that interjection."""

SILENCE_NS = 300_000_000
"""Somebody's stop and start in a pause of this length or more say that it was theirs."""

LONG_SILENCE_NS = 1_500_000_000
"""Whoever goes on after a pause of this length has stopped, and starts anew."""

AT_ONCE_NS = 1_500_000_000
"""Of two who speak at once for so long whisper writes parts of both."""

MAX_OVERLAPPING = 6
"""Those of whom most is said may speak two at once; more would cost too much."""

FOREVER_NS = 2**63
"""When a turn ends that goes on."""


@dataclass(frozen=True, slots=True)
class Between:
    """For each place between two units, weights (places, names): of stopping there, of starting, of
    going on, and of coming and going."""

    stops: Floats
    starts: Floats
    stays: Floats
    visits: Floats


class TurnEvidence:
    """What the platform says of everybody in `names`."""

    def __init__(
        self,
        names: Sequence[str],
        events: Sequence[SpeakingEvent],
        spans: Sequence[SpeakingSpan],
        heard_until_ns: int,
    ) -> None:
        """`heard_until_ns` is where the last word ends."""
        self._index = {who: n for n, who in enumerate(names)}
        self._events = [one for one in events if one.who in self._index]
        self._at_ns = [one.at_ns for one in self._events]
        known = [one for one in spans if one.who in self._index]
        self._short = [one for one in known if one.is_short]
        self._going_on = {
            (one.who, one.start_ns)
            for one in known
            if one.end_ns is None and heard_until_ns - one.start_ns >= SHORT_NS
        }
        self._long = [
            (one.start_ns, FOREVER_NS if one.end_ns is None else one.end_ns, self._index[one.who])
            for one in known
            if not one.is_short
        ]
        said_of = Counter(one.who for one in self._events)
        said_of.update(one.who for one in known)
        most = sorted(said_of.items(), key=lambda one: (-one[1], one[0]))[:MAX_OVERLAPPING]
        self.overlapping = tuple(sorted(self._index[who] for who, _ in most))
        """Whoever can speak at the same time as somebody else."""

    def fitting(self, units: Sequence[TurnUnit]) -> Floats:
        """Weights (units, names) of being the interjection that was said."""
        weights = np.zeros((len(units), len(self._index)))
        for span in self._short:
            for n in _near(units, span.start_ns):
                if _fits(units[n], span):
                    weights[n, self._index[span.who]] = IS_INTERJECTION
        return weights

    def at_once(self, units: Sequence[TurnUnit]) -> NDArray[np.bool_]:
        """Whether two (units, names, names) speak at once for long, and for most of a unit."""
        found = np.zeros((len(units), len(self._index), len(self._index)), np.bool_)
        for (start_ns, end_ns, n), (other_start_ns, other_end_ns, m) in combinations(self._long, 2):
            from_ns, to_ns = max(start_ns, other_start_ns), min(end_ns, other_end_ns)
            if n == m or to_ns - from_ns < AT_ONCE_NS:
                continue
            for at, unit in enumerate(units):
                common_ns = min(to_ns, unit.end_ns) - max(from_ns, unit.start_ns)
                if 2 * common_ns > unit.length_ns:
                    found[at, n, m] = found[at, m, n] = True
        return found

    def first(self, unit: TurnUnit) -> Floats:
        """Before the first unit anybody may have spoken, whoever was said to rather than others."""
        _, starts = self._explained(unit.start_ns - SILENCE_NS, unit.start_ns)
        weights = np.maximum(0.0, starts)
        for start_ns, end_ns, n in self._long:
            common_ns = min(end_ns, unit.end_ns) - max(start_ns, unit.start_ns)
            if 2 * common_ns > unit.length_ns:
                weights[n] = max(weights[n], COVERED_FIRST)
        return weights

    def last(self, unit: TurnUnit) -> Floats:
        """After the last unit nobody is known to speak."""
        stops, _ = self._explained(unit.end_ns, unit.end_ns)
        return np.array(stops)

    def between(self, units: Sequence[TurnUnit]) -> Between:
        """What may happen between each two units."""
        stops: list[list[float]] = []
        starts: list[list[float]] = []
        stays: list[list[float]] = []
        for before, after in pairwise(units):
            from_ns = min(before.end_ns, after.start_ns)
            to_ns = max(before.end_ns, after.start_ns)
            here = self._explained(from_ns, to_ns)
            stops.append(here[0])
            starts.append(here[1])
            stays.append(self._stays(*here, from_ns, to_ns))
        shape = (max(0, len(units) - 1), len(self._index))
        return Between(
            np.array(stops).reshape(shape),
            np.array(starts).reshape(shape),
            np.array(stays).reshape(shape),
            self._visits(units, shape),
        )

    def _explained(self, from_ns: int, to_ns: int) -> tuple[list[float], list[float]]:
        """Weights of each person's stop and start between two moments."""
        stops = [-MISSING] * len(self._index)
        starts = stops.copy()
        early_ns = EARLY_NS if to_ns - from_ns >= PAUSE_NS else 0
        first = bisect_left(self._at_ns, from_ns - REACH_NS)
        after = bisect_right(self._at_ns, to_ns + REACH_NS)
        for event in self._events[first:after]:
            late_ns = event.at_ns - to_ns - (early_ns if event.is_start else 0)
            off = max(0, from_ns - event.at_ns, late_ns) / JITTER_NS
            weight = EXPLAINED_SHORT if event.is_of_short else EXPLAINED
            if event.is_start and (event.who, event.at_ns) in self._going_on:
                weight += GOES_ON
            of_kind = starts if event.is_start else stops
            n = self._index[event.who]
            of_kind[n] = max(of_kind[n], weight - off * off / 2)
        return stops, starts

    def _stays(
        self, stops: Sequence[float], starts: Sequence[float], from_ns: int, to_ns: int
    ) -> list[float]:
        """Weights of going on: a pause may have a stop and a start, a long one must have them but
        from whoever is said to speak all through it."""
        pause_ns = to_ns - from_ns
        if pause_ns < SILENCE_NS:
            return [0.0] * len(self._index)
        if pause_ns < LONG_SILENCE_NS:
            both = zip(stops, starts, strict=True)
            return [stop + start if stop > 0 and start > 0 else 0.0 for stop, start in both]
        stays = [stop + start for stop, start in zip(stops, starts, strict=True)]
        for start_ns, end_ns, n in self._long:
            if start_ns <= from_ns - JITTER_NS and to_ns + JITTER_NS <= end_ns:
                stays[n] = 0.0
        return stays

    def _visits(self, units: Sequence[TurnUnit], shape: tuple[int, int]) -> Floats:
        """Weights of interjections of which both ends are nearest to the same place."""
        visits = np.zeros(shape)
        middles_ns = [(one.end_ns + other.start_ns) // 2 for one, other in pairwise(units)]
        for span in self._short if middles_ns else ():
            assert span.end_ns is not None
            place = _nearest(middles_ns, span.start_ns)
            if place == _nearest(middles_ns, span.end_ns):
                visits[place, self._index[span.who]] = 2 * EXPLAINED_SHORT + VISIT
        return visits


def _near(units: Sequence[TurnUnit], at_ns: int) -> Iterator[int]:
    """The units that begin near a moment."""
    first = bisect_left(units, at_ns - FITTING_NS, key=lambda one: one.start_ns)
    for n in range(first, len(units)):
        if units[n].start_ns > at_ns + FITTING_NS:
            return
        yield n


def _fits(unit: TurnUnit, span: SpeakingSpan) -> bool:
    """Whether a unit is an interjection as a whole."""
    return (
        span.end_ns is not None
        and abs(span.start_ns - unit.start_ns) <= FITTING_NS
        and abs(span.end_ns - unit.end_ns) <= FITTING_NS
        and span.common_ns(unit.start_ns, unit.end_ns) > 0
    )


def _nearest(moments_ns: Sequence[int], at_ns: int) -> int:
    after = bisect_left(moments_ns, at_ns)
    around = [n for n in (after - 1, after) if 0 <= n < len(moments_ns)]
    return min(around, key=lambda n: abs(moments_ns[n] - at_ns))
