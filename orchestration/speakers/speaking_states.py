"""Who can speak while a unit is said: one person, or two of whom one is written down. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REMEMBERED = 32
"""Numbers of people whose states are kept: meetings of one size share them."""


@dataclass(frozen=True)
class SpeakingStates:
    """All states, each array with one row for each of them and a column for each name.

    `written` is 1 for whose words are written down, `beneath` for who speaks at the same time,
    `active` for both. Of states before and after, `changes` is 1 where another's words are written,
    and `begins` where two begin to speak at once.
    """

    written: Floats
    beneath: Floats
    active: Floats
    changes: Floats
    begins: Floats

    @property
    def is_overlap(self) -> Floats:
        """1 for each state in which two speak."""
        overlaps: Floats = self.beneath.sum(axis=1)
        return overlaps

    def pairs(self, of_names: NDArray[np.bool_]) -> Floats:
        """1 for each state (units, states) whose two are a pair in (units, names, names)."""
        writer, other = self.written.argmax(axis=1), self.beneath.argmax(axis=1)
        found: Floats = of_names[:, writer, other] * self.is_overlap
        return found


@lru_cache(maxsize=REMEMBERED)
def states_of(names: int, overlapping: tuple[int, ...]) -> SpeakingStates:
    """The states of so many names, of whom those of `overlapping` may speak two at once."""
    alone = [(who, None) for who in range(names)]
    at_once = [(who, other) for who in overlapping for other in overlapping if who != other]
    states: Sequence[tuple[int, int | None]] = [*alone, *at_once]
    written, beneath = np.zeros((len(states), names)), np.zeros((len(states), names))
    for row, (who, other) in enumerate(states):
        written[row, who] = 1
        if other is not None:
            beneath[row, other] = 1
    active = written + beneath
    is_same = (active @ active.T) == active.sum(axis=1)
    begins = np.where(is_same, 0, beneath.sum(axis=1))
    return SpeakingStates(written, beneath, active, 1 - written @ written.T, begins)
