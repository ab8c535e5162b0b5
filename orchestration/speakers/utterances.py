"""Words between two pauses: what is said in one breath is one person's, nearly always. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

PAUSE_NS = 200_000_000
"""Silence between two words that ends an utterance."""

MIN_VOICE_NS = 1_000_000_000
"""A label that has less of an utterance is in doubt, if another has most of it."""

FOREMOST_SHARE = 0.7
"""Share of an utterance by which a label has most of it."""

MAX_WORDS = 5_000
"""Words of one stream in memory, half an hour of talk and more: 120 kB. The oldest go first; by
then their segments are settled."""

MAX_REACH = 200
"""Words before and after one that are looked at: nobody speaks a minute and more in one breath."""


SENTENCE_PAUSE_NS = 700_000_000
"""Silence between two words that ends a sentence, whatever its marks say."""

Span: TypeAlias = tuple[int, int]
"""Session time from and to, in ns."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """Where a word lies in a stream, in ns, its label, and whether its mark ends a sentence."""

    start_ns: int
    end_ns: int
    label: str | None
    ends_sentence: bool = False


@dataclass(frozen=True, slots=True)
class Utterance:
    """A span without a pause, and how long each label has it: nanoseconds."""

    start_ns: int
    end_ns: int
    labels: Mapping[str, int]

    def credible(self, label: str | None) -> str | None:
        """A word's label, None where it is in doubt: diarizers err most on what is too short to
        have a voice, and it may as well be somebody who interjects."""
        if label is None or self.labels.get(label, 0) >= MIN_VOICE_NS:
            return label
        foremost = max(self.labels, key=lambda one: self.labels[one], default=label)
        share = self.labels.get(foremost, 0) / max(1, sum(self.labels.values()))
        return None if share >= FOREMOST_SHARE else label


class Utterances:
    """The words of one stream, in order."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._ends = array("q")
        self._labels: list[str | None] = []
        self._sentence_ends = bytearray()
        self._latest: tuple[range, Utterance] | None = None

    def heard(self, words: Sequence[SpokenWord]) -> None:
        """Words are here, in order; they take the place of those heard there before."""
        if not words:
            return
        first = bisect_left(self._starts, words[0].start_ns)
        after = bisect_left(self._starts, words[-1].start_ns + 1)
        self._starts[first:after] = array("q", [one.start_ns for one in words])
        self._ends[first:after] = array("q", [one.end_ns for one in words])
        self._labels[first:after] = [one.label for one in words]
        self._sentence_ends[first:after] = bytes(one.ends_sentence for one in words)
        self._latest = None
        if len(self._starts) > MAX_WORDS:
            old = slice(MAX_WORDS // 10)
            del self._starts[old], self._ends[old], self._labels[old], self._sentence_ends[old]

    def around(self, start_ns: int, end_ns: int) -> Utterance | None:
        """The utterance that a word is in; None where no words are known."""
        at = self._position(start_ns, end_ns)
        if at is None:
            return None
        if self._latest is None or at not in self._latest[0]:
            first, last = self._reach(at, self._is_pause)
            self._latest = range(first, last + 1), self._utterance(first, last)
        return self._latest[1]

    def sentence(self, start_ns: int, end_ns: int) -> Span | None:
        """The sentence that a word is in, as far as it is known; None where no words are."""
        at = self._position(start_ns, end_ns)
        if at is None:
            return None
        first, last = self._reach(at, self._begins_sentence)
        return min(start_ns, self._starts[first]), max(end_ns, self._ends[last])

    def _utterance(self, first: int, last: int) -> Utterance:
        labels: dict[str, int] = {}
        for position in range(first, last + 1):
            label = self._labels[position]
            if label is not None:
                length_ns = self._ends[position] - self._starts[position]
                labels[label] = labels.get(label, 0) + max(1, length_ns)
        return Utterance(self._starts[first], max(self._ends[first : last + 1]), labels)

    def _position(self, start_ns: int, end_ns: int) -> int | None:
        at = bisect_left(self._starts, start_ns)
        return None if at == len(self._starts) or self._starts[at] > end_ns else at

    def _reach(self, at: int, begins: Callable[[int], bool]) -> tuple[int, int]:
        """The first and the last word of what a word is in, where something new begins."""
        first, last = at, at
        while first > max(0, at - MAX_REACH) and not begins(first):
            first -= 1
        while last + 1 < min(len(self._starts), at + MAX_REACH) and not begins(last + 1):
            last += 1
        return first, last

    def _begins_sentence(self, position: int) -> bool:
        silence_ns = self._starts[position] - self._ends[position - 1]
        return bool(self._sentence_ends[position - 1]) or silence_ns >= SENTENCE_PAUSE_NS

    def _is_pause(self, position: int) -> bool:
        """Whether somebody draws breath before this word."""
        return self._starts[position] - self._ends[position - 1] >= PAUSE_NS
