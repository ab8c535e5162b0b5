"""The words of one stream by time, as far back as their names may still change. Pure."""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from orchestration.transcript.lines import ends_sentence
from orchestration.transcript.segments import TimedWord

MAX_WORDS = 5_000
"""Words of one stream in memory, half an hour of talk and more: 170 kB. The oldest go first; by
then their segments are settled."""

NOT_TOLD = -1.0
"""The probability of a label that comes without."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """Where a word lies in a stream, in ns, its label, whether its mark ends a sentence, and how
    likely the label is, if that is told."""

    start_ns: int
    end_ns: int
    label: str | None
    ends_sentence: bool = False
    label_probability: float | None = None

    @classmethod
    def of(cls, word: TimedWord) -> Self:
        """A word of a final segment."""
        return cls(
            word.start_ns,
            word.end_ns,
            word.label,
            ends_sentence(word.text),
            word.label_probability,
        )


class HeardWords:
    """Words in order of their starts."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._ends = array("q")
        self._labels: list[str | None] = []
        self._probabilities = array("d")
        self._sentence_ends = bytearray()
        self.end_ns = 0
        """Where the last one ends."""

    def heard(self, words: Sequence[SpokenWord]) -> bool:
        """Words are here, in order; they take the place of those heard there before.

        Returns whether that is news.
        """
        if not words:
            return False
        self.end_ns = max(self.end_ns, words[-1].end_ns)
        first = bisect_left(self._starts, words[0].start_ns)
        after = bisect_left(self._starts, words[-1].start_ns + 1)
        if list(words) == self._slice(first, after):
            return False
        self._starts[first:after] = array("q", [one.start_ns for one in words])
        self._ends[first:after] = array("q", [one.end_ns for one in words])
        # Each word brings a copy of its label.
        labels = [one.label for one in words]
        self._labels[first:after] = [one if one is None else sys.intern(one) for one in labels]
        told = [one.label_probability for one in words]
        self._probabilities[first:after] = array("d", [NOT_TOLD if p is None else p for p in told])
        self._sentence_ends[first:after] = bytes(one.ends_sentence for one in words)
        if len(self._starts) > MAX_WORDS:
            old = slice(MAX_WORDS // 10)
            del self._starts[old], self._ends[old], self._sentence_ends[old]
            del self._labels[old], self._probabilities[old]
        return True

    def knows(self, start_ns: int) -> bool:
        """Whether a word starts there."""
        at = bisect_left(self._starts, start_ns)
        return at < len(self._starts) and self._starts[at] == start_ns

    def between(self, from_ns: int, to_ns: int) -> Sequence[SpokenWord]:
        """Words that start from and before these moments."""
        return self._slice(bisect_left(self._starts, from_ns), bisect_left(self._starts, to_ns))

    def _slice(self, first: int, after: int) -> list[SpokenWord]:
        of_slice = slice(first, after)
        return [
            SpokenWord(
                start_ns,
                end_ns,
                label,
                bool(ends_sentence),
                None if probability == NOT_TOLD else probability,
            )
            for start_ns, end_ns, label, probability, ends_sentence in zip(
                self._starts[of_slice],
                self._ends[of_slice],
                self._labels[of_slice],
                self._probabilities[of_slice],
                self._sentence_ends[of_slice],
                strict=True,
            )
        ]
