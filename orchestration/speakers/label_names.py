"""Which name a diarization label has: the assignment, its gates, and its constancy.

The assignment that shares the most seconds (Kuhn 1955, as pyannote.metrics maps speakers), then
gates, since an assignment always gives everybody somebody. Unknown beats wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

import lap
import numpy as np

from orchestration.speakers.label_evidence import Cooccurrence, Together
from orchestration.speakers.labels import group_of

MIN_SECONDS = 1.5
MIN_LABEL_SHARE = 0.6
"""Of what a label shares with anybody."""
MIN_HEARD_SHARE = 0.4
"""Of all that is heard of a label: with less, its own name's events are those that got lost."""
MIN_NAME_SHARE = 0.5
"""Of what a name shares with any label of the group."""
MIN_MARGIN = 0.1
"""To the label's second name, as a share."""
MIN_SHORT_EPISODES = 2
MIN_LONG_EPISODES = 1
SWITCH_SHARE = 0.75
SWITCH_ROUNDS = 2
"""A label that has a name changes it when another has this share for so many scans."""

CERTAINTY_PER_S, MAX_CERTAINTY = 1.0, 7.0
"""For each second that a label has with its name more than with all others, and the most of it
either way, as a logarithm: a voice is heard some 17 times as often with its own name as with
another one, and seconds of one turn, of 3 s, are not independent."""

VOICE_WEIGHT, MAX_VOICE_WEIGHT = 1.0, 4.0
"""Beside the odds of a label's share, and the most that both may weigh, as logarithms."""


@dataclass(frozen=True, slots=True)
class LabelName:
    """A label's accepted name: `share` of the label's evidence, and the seconds of it."""

    participant_id: str
    share: float
    seconds: float
    episodes: int

    @property
    def weight(self) -> float:
        """How much likelier the label makes the one whose voice it is, as a logarithm."""
        odds = self.share / max(1e-9, 1 - self.share)
        return min(MAX_VOICE_WEIGHT, log(odds) + VOICE_WEIGHT)

    @property
    def certainty(self) -> float:
        """How certain it is that the label has this name and no other, as a logarithm of odds."""
        others_s = self.seconds / self.share - self.seconds
        certainty = CERTAINTY_PER_S * (self.seconds - others_s)
        return max(-MAX_CERTAINTY, min(MAX_CERTAINTY, certainty))


class LabelNames:
    """Accepted names by label."""

    def __init__(self) -> None:
        self._names: dict[str, LabelName] = {}
        self._challenges: dict[str, tuple[str, int]] = {}

    def find(self, label: str) -> LabelName | None:
        """The label's name, once it is accepted."""
        return self._names.get(label)

    def items(self) -> Iterable[tuple[str, LabelName]]:
        """All accepted names by label."""
        return self._names.items()

    def restore(self, names: Mapping[str, LabelName]) -> None:
        """Names that an earlier incarnation had accepted, kept until evidence says otherwise."""
        self._names.update(names)

    def update(self, together: Cooccurrence) -> set[str]:
        """Assign anew; returns the labels whose name changed."""
        groups: dict[str, list[str]] = {}
        for label, row in together.items():
            if row:
                groups.setdefault(group_of(label), []).append(label)
        changed: set[str] = set()
        for labels in groups.values():
            for label, found in _assigned(labels, together).items():
                if self._settle(label, found, together[label]):
                    changed.add(label)
            changed |= self._drop_doubles(labels)
        for label in [label for label in self._names if label not in together]:
            # Forgotten by the evidence; its name outlives it only in what is already written.
            del self._names[label]
            self._challenges.pop(label, None)
        return changed

    def _settle(self, label: str, found: LabelName | None, row: Mapping[str, Together]) -> bool:
        present = self._names.get(label)
        if found is None or (present and found.participant_id == present.participant_id):
            self._challenges.pop(label, None)
            kept = found or (present and _weighed_anew(present, row))
            if kept:
                self._names[label] = kept
            return False
        if present is not None:
            rounds = self._challenged(label, found)
            if found.share < SWITCH_SHARE or rounds < SWITCH_ROUNDS:
                return False
        self._names[label] = found
        self._challenges.pop(label, None)
        return True

    def _drop_doubles(self, labels: Sequence[str]) -> set[str]:
        """Of two labels of a group with one name, the one that is heard less with it has none:
        whoever was named by an event that got lost, before their own were heard."""
        best: dict[str, str] = {}
        dropped: set[str] = set()
        for label in sorted(labels, key=self._seconds, reverse=True):
            found = self._names.get(label)
            if found is not None and best.setdefault(found.participant_id, label) != label:
                del self._names[label]
                dropped.add(label)
        return dropped

    def _seconds(self, label: str) -> float:
        found = self._names.get(label)
        return 0.0 if found is None else found.seconds

    def _challenged(self, label: str, found: LabelName) -> int:
        who, rounds = self._challenges.get(label, ("", 0))
        rounds = rounds + 1 if who == found.participant_id and found.share >= SWITCH_SHARE else 1
        self._challenges[label] = (found.participant_id, rounds)
        return rounds


def _weighed_anew(name: LabelName, row: Mapping[str, Together]) -> LabelName:
    """A name that the label keeps, with the evidence that there is for it by now."""
    pair = row.get(name.participant_id)
    if pair is None:
        return name
    share = pair.seconds / sum(one.seconds for one in row.values())
    return replace(name, share=share, seconds=pair.seconds, episodes=pair.short_episodes)


def _assigned(labels: Sequence[str], together: Cooccurrence) -> dict[str, LabelName | None]:
    """The best one-to-one assignment of a group, each pair only if it passes the gates."""
    names = sorted({who for label in labels for who in together[label]})
    shared = np.zeros((len(labels), len(names)))
    for i, label in enumerate(labels):
        for who, one in together[label].items():
            shared[i, names.index(who)] = one.seconds
    _, columns, _ = lap.lapjv(-shared, extend_cost=True)
    return {
        label: (
            _accepted(shared, i, int(columns[i]), together[label].get(names[columns[i]]), names)
            if columns[i] >= 0
            else None
        )
        for i, label in enumerate(labels)
    }


def _accepted(
    shared: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    row: int,
    column: int,
    pair: Together | None,
    names: Sequence[str],
) -> LabelName | None:
    if pair is None or pair.seconds < MIN_SECONDS:
        return None
    shares = shared[row] / shared[row].sum()
    rival = max((share for i, share in enumerate(shares) if i != column), default=0.0)
    name_share = shared[row, column] / shared[:, column].sum()
    enough_episodes = (
        pair.short_episodes >= MIN_SHORT_EPISODES or pair.long_episodes >= MIN_LONG_EPISODES
    )
    if (
        shares[column] < MIN_LABEL_SHARE
        or name_share < MIN_NAME_SHARE
        or shares[column] - rival < MIN_MARGIN
        or pair.share_of_label < MIN_HEARD_SHARE
        or not enough_episodes
    ):
        return None
    return LabelName(names[column], float(shares[column]), pair.seconds, pair.short_episodes)
