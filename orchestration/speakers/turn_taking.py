"""Who has which turn, from starts and stops of which some are late, lost or false. Pure.

Words that are surely one person's are a unit; between two units the turn may pass to somebody else,
and somebody may begin or cease to speak at the same time. Each way in which that can have happened
explains some of the platform's events and leaves others unexplained, and needs events that never
came. The forward-backward algorithm (Rabiner 1989) weighs all ways at once, over states of one
person or two, and says for each unit how likely it is each person's. So a lost stop does not hold a
turn open, an interjection does not take it over, and what nothing tells stays open.

Weights are natural logarithms of likelihood ratios.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from orchestration.speakers.speaking_events import SpeakingEvent, SpeakingSpan
from orchestration.speakers.speaking_states import Floats, SpeakingStates, states_of
from orchestration.speakers.turn_evidence import Between, TurnEvidence
from orchestration.speakers.turn_units import TurnUnit

UNKNOWN = "?"
"""Somebody of whom the platform says nothing."""

CHANGE_INSIDE = 3.5
"""Against words of another in the middle of a sentence."""

OVERLAP = 1.0
"""Against two who begin to speak at once."""

OVERLAP_PER_S = 3.0
"""Against their going on, for each second: overlaps are short."""

SAID_PER_S = 2.0
"""The same where the platform says for long of both that they speak."""

WRITTEN_OF_OTHER = 0.3
"""Share of the words, while two speak at once for long, that are the other's."""

NORMALISED_EVERY = 6
"""Units after which likelihoods are made to sum to 1: so few steps leave them numbers."""

NS = 1_000_000_000


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
    said = TurnEvidence(names, events, spans, units[-1].end_ns)
    states = states_of(len(names), said.overlapping)
    at_once = states.pairs(said.at_once(units))
    likely = _forward_backward(
        np.exp(_heard(units, names, said.fitting(units), at_once, states)),
        np.exp(_passing(units, said.between(units), states)),
        np.exp(states.active @ said.first(units[0]) - OVERLAP * states.is_overlap),
        np.exp(states.active @ said.last(units[-1])),
    )
    doubtful = WRITTEN_OF_OTHER * likely * at_once
    shares = likely @ states.written + doubtful @ (states.beneath - states.written)
    return [dict(zip(names, one, strict=True)) for one in shares.tolist()]


def _heard(
    units: Sequence[TurnUnit],
    names: Sequence[str],
    fitting: Floats,
    at_once: Floats,
    states: SpeakingStates,
) -> Floats:
    """Weights (units, states) of each unit by itself, by its length, its ends and its voice."""
    lengths_s = np.array([one.length_ns for one in units]) / NS
    weights: Floats = fitting @ states.written.T
    per_s = OVERLAP_PER_S * states.is_overlap - (OVERLAP_PER_S - SAID_PER_S) * at_once
    weights -= lengths_s[:, np.newaxis] * per_s
    for at, unit in enumerate(units):
        if unit.voice is not None and unit.voice.who in names:
            n = names.index(unit.voice.who)
            weights[at] += unit.voice.weight * states.written[:, n]
            weights[at] += unit.voice.weight_beneath * states.beneath[:, n]
    return weights


def _passing(units: Sequence[TurnUnit], between: Between, states: SpeakingStates) -> Floats:
    """Weights (places, states before, states after) of what happens between two units."""
    active = states.active
    # Whoever is active neither before nor after may have come and gone. Written as sums over those
    # who are active before, after, and both, no array has the states twice and the names.
    leave = (between.stops - between.visits) @ active.T
    enter = (between.starts - between.visits) @ active.T
    both = between.stays - between.stops - between.starts + between.visits
    weights: Floats = (active * both[:, np.newaxis, :]) @ active.T
    weights += leave[:, :, np.newaxis] + enter[:, np.newaxis, :]
    inside = np.array([not one.follows_break for one in units[1:]], np.float64)
    weights -= CHANGE_INSIDE * inside[:, np.newaxis, np.newaxis] * states.changes
    weights -= OVERLAP * states.begins
    return weights


def _forward_backward(heard: Floats, passing: Floats, first: Floats, last: Floats) -> Floats:
    """How likely each state is (units, states), from factors of units and of passings."""
    forward, backward = np.empty_like(heard), np.empty_like(heard)
    forward[0] = _normalised(first * heard[0])
    for at, step in enumerate(passing):
        later = (forward[at] @ step) * heard[at + 1]
        forward[at + 1] = later if at % NORMALISED_EVERY else _normalised(later)
    backward[-1] = _normalised(last)
    for at in range(len(passing) - 1, -1, -1):
        earlier = passing[at] @ (backward[at + 1] * heard[at + 1])
        backward[at] = earlier if at % NORMALISED_EVERY else _normalised(earlier)
    # Together the two may be too small for a number, or too large.
    forward /= forward.sum(axis=1, keepdims=True)
    backward /= backward.sum(axis=1, keepdims=True)
    likely = forward * backward
    shares: Floats = likely / likely.sum(axis=1, keepdims=True)
    return shares


def _normalised(weights: Floats) -> Floats:
    normalised: Floats = weights / weights.sum()
    return normalised
