"""Who has which turn, from starts and stops of which some are late, lost or false. Pure.

Words that are surely one person's are a unit; between two units the turn may pass to somebody else.
Each way in which the turns can have passed explains some of the platform's events and leaves others
unexplained, and needs events that never came. The forward-backward algorithm (Rabiner 1989) weighs
all ways at once and says for each unit how likely each person is. So a lost stop does not hold a
turn open, an interjection does not take it over, and what nothing tells stays open.

Weights are natural logarithms of likelihood ratios.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
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

LONG_PAUSE_NS = 1_500_000_000
"""Whoever goes on after a pause of this length has stopped, and starts anew."""


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
        people: whoever can have spoken.
    """
    if not units:
        return []
    names = [*people, UNKNOWN]
    heard = [_evidence(unit, spans, names) for unit in units]
    passings = list(_passings(units, events, spans, names))
    forward = [_first(units[0], heard[0], events, spans, names)]
    for passing, evidence in zip(passings, heard[1:], strict=True):
        forward.append(_step(forward[-1], passing.stops, passing.starts, passing, evidence))
    backward = [_last(units[-1], events, names)]
    for passing, evidence in zip(reversed(passings), reversed(heard[1:]), strict=True):
        later = [a * b for a, b in zip(backward[-1], evidence, strict=True)]
        ones = [1.0] * len(names)
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
    return _normalised(
        [
            evidence[n]
            * (
                max(0.0, total - leaving[n]) * passing.change * begins[n]
                + before[n] * passing.stays[n]
            )
            for n in range(len(before))
        ]
    )


def _normalised(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    return [one / total for one in weights]


def _evidence(
    unit: TurnUnit, spans: Sequence[SpeakingSpan], names: Sequence[str]
) -> Sequence[float]:
    """A factor for each person, by turns that the unit lies in and by its voice."""
    weights = dict.fromkeys(names, 0.0)
    for span in spans:
        if span.start_ns >= unit.end_ns or span.who not in weights:
            continue
        common_ns = span.common_ns(unit.start_ns, unit.end_ns)
        if common_ns <= 0:
            continue
        weight = COVERED * common_ns / unit.length_ns
        if span.is_short:
            weight = IS_INTERJECTION if _fits(unit, span) else 0.0
        weights[span.who] = max(weights[span.who], weight)
    if unit.voice in weights:
        weights[unit.voice] += unit.voice_weight
    return [exp(weight) for weight in weights.values()]


def _fits(unit: TurnUnit, span: SpeakingSpan) -> bool:
    return span.end_ns is not None and (
        abs(span.start_ns - unit.start_ns) <= FITTING_NS
        and abs(span.end_ns - unit.end_ns) <= FITTING_NS
    )


def _first(
    unit: TurnUnit,
    evidence: Sequence[float],
    events: Sequence[SpeakingEvent],
    spans: Sequence[SpeakingSpan],
    names: Sequence[str],
) -> list[float]:
    """Before the first unit anybody may have spoken, whoever was said to rather than others."""
    _, starts = _explained(unit.start_ns, unit.start_ns, events, names)
    covering = {
        one.who
        for one in spans
        if not one.is_short and 2 * one.common_ns(unit.start_ns, unit.end_ns) > unit.length_ns
    }
    covered = [COVERED_FIRST if who in covering else 0.0 for who in names]
    return _normalised(
        [
            exp(max(start, cover)) * factor
            for start, cover, factor in zip(starts, covered, evidence, strict=True)
        ]
    )


def _last(unit: TurnUnit, events: Sequence[SpeakingEvent], names: Sequence[str]) -> list[float]:
    stops, _ = _explained(unit.end_ns, unit.end_ns, events, names)
    return _normalised([exp(stop) for stop in stops])


def _passings(
    units: Sequence[TurnUnit],
    events: Sequence[SpeakingEvent],
    spans: Sequence[SpeakingSpan],
    names: Sequence[str],
) -> Iterator[_Passing]:
    long = [one for one in spans if not one.is_short]
    for before, after in pairwise(units):
        from_ns = min(before.end_ns, after.start_ns)
        to_ns = max(before.end_ns, after.start_ns)
        stops, starts = _explained(from_ns, to_ns, events, names)
        going_on = {one.who for one in long if one.covers(from_ns - JITTER_NS, to_ns + JITTER_NS)}
        changes = [
            [
                max(weight, -GOES_ON) if who in going_on else weight
                for who, weight in zip(names, weights, strict=True)
            ]
            for weights in (stops, starts)
        ]
        # Whoever is said to speak all through a pause needs no stop and no start for it.
        stays = [
            0.0 if who in going_on else _stay(stop + start, min(stop, start) > 0, to_ns - from_ns)
            for who, stop, start in zip(names, stops, starts, strict=True)
        ]
        yield _Passing(
            [exp(one) for one in changes[0]],
            [exp(one) for one in changes[1]],
            [exp(one) for one in stays],
            exp(-CHANGE if after.follows_break else -CHANGE_INSIDE),
        )


def _stay(stop_and_start: float, are_there: bool, pause_ns: int) -> float:
    """The weight of going on: a pause may have a stop and a start, a long one must have them."""
    if pause_ns >= LONG_PAUSE_NS:
        return stop_and_start
    return stop_and_start if are_there and pause_ns >= PAUSE_NS else 0.0


def _explained(
    from_ns: int, to_ns: int, events: Sequence[SpeakingEvent], names: Sequence[str]
) -> tuple[list[float], list[float]]:
    """The weights of each person's stop and start between two moments."""
    stops = dict.fromkeys(names, -MISSING)
    starts = dict(stops)
    for event in events[bisect_left(events, from_ns - REACH_NS, key=lambda one: one.at_ns) :]:
        if event.at_ns > to_ns + REACH_NS:
            break
        if event.who not in stops:
            continue
        free_before_ns, free_after_ns = (OVERLAP_NS, 0) if event.is_start else (0, OVERLAP_NS)
        off_ns = max(0, from_ns - free_before_ns - event.at_ns, event.at_ns - to_ns - free_after_ns)
        weight = EXPLAINED_SHORT if event.is_of_short else EXPLAINED
        weight -= (off_ns / JITTER_NS) ** 2 / 2
        of_kind = starts if event.is_start else stops
        of_kind[event.who] = max(of_kind[event.who], weight)
    return list(stops.values()), list(starts.values())
