"""Words in units that are one person's: from pause, sentence end or event to the next. Pure.

Conversation analysis calls what a turn is made of, and where it may pass to somebody else, its
units and their transition-relevance places (Sacks, Schegloff and Jefferson 1974).
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import TypeAlias

from orchestration.speakers.heard_words import SpokenWord

PAUSE_NS = 200_000_000
"""Silence between two words in which a turn may pass."""

NEAREST_NS = 500_000_000
"""A speaking event may be as far as this from the words between which the turn passes."""

MIN_VOICE_NS = 1_000_000_000
"""A label that has less of the words between two pauses is less credible."""

DOUBTED = 0.5
"""How much less, if another label has most of them."""

FOREMOST_SHARE = 0.7
"""Share of the words between two pauses by which a label has most of them."""

LAST = SpokenWord(2**63, 2**63, None)
"""After all words."""

Voice: TypeAlias = tuple[str, float]
"""Whose a label is, and the weight of that."""


@dataclass(frozen=True, slots=True)
class TurnUnit:
    """Words that are one person's.

    `follows_break`: a pause or the end of a sentence is before it. `voice` is whose voice a
    diarizer takes it to be, and `voice_weight` the logarithm of how much likelier that makes it.
    """

    start_ns: int
    end_ns: int
    follows_break: bool
    voice: str | None = None
    voice_weight: float = 0.0

    @property
    def length_ns(self) -> int:
        return self.end_ns - self.start_ns


def turn_units(
    words: Sequence[SpokenWord],
    events_at_ns: Iterable[int],
    voice_of: Callable[[str, int], Voice | None],
) -> list[TurnUnit]:
    """Cut words in order into units; `voice_of` says whose a label is at a moment, if it is known.

    A unit begins after a pause, after the end of a sentence, at another voice, and where a speaking
    event is nearest.
    """
    if not words:
        return []
    words = [
        # Whisper lets a word last into the next ones now and then.
        one if one.end_ns <= other.start_ns else _ending(one, max(one.start_ns, other.start_ns))
        for one, other in zip(words, [*words[1:], LAST], strict=True)
    ]
    credible = credibilities(words)
    breaks = {n for n, (one, other) in enumerate(pairwise(words), start=1) if _is_break(one, other)}
    cuts = breaks | set(_nearest(words, events_at_ns)) | set(_changes([one.label for one in words]))
    edges = [0, *sorted(cuts), len(words)]
    return [
        _unit(words[first:after], credible[first:after], first in breaks, voice_of)
        for first, after in pairwise(edges)
    ]


def _ending(word: SpokenWord, end_ns: int) -> SpokenWord:
    return SpokenWord(word.start_ns, end_ns, word.label, word.ends_sentence)


def credibilities(words: Sequence[SpokenWord]) -> list[float]:
    """How credible each word's label is, from 0 to 1: diarizers err most on what is too short to
    have a voice, and it may as well be somebody who interjects."""
    if all(one.label is None for one in words):
        return [0.0] * len(words)
    edges = [0, *(n for n in range(1, len(words)) if _is_pause(words[n - 1], words[n])), len(words)]
    found: list[float] = []
    for first, after in pairwise(edges):
        heard_ns = Counter[str]()
        for word in words[first:after]:
            if word.label is not None:
                heard_ns[word.label] += max(1, word.end_ns - word.start_ns)
        foremost_ns = max(heard_ns.values(), default=0)
        has_most = foremost_ns >= FOREMOST_SHARE * heard_ns.total()
        for word in words[first:after]:
            length_ns = 0 if word.label is None else heard_ns[word.label]
            is_doubted = has_most and length_ns < min(MIN_VOICE_NS, foremost_ns)
            length = min(1.0, length_ns / MIN_VOICE_NS)
            found.append(sqrt(length) * (DOUBTED if is_doubted else 1.0))
    return found


def _unit(
    words: Sequence[SpokenWord],
    credible: Sequence[float],
    follows_break: bool,
    voice_of: Callable[[str, int], Voice | None],
) -> TurnUnit:
    start_ns = words[0].start_ns
    end_ns = max(start_ns + 1, *(one.end_ns for one in words))
    label = next((one.label for one in words if one.label is not None), None)
    voice = None if label is None else voice_of(label, start_ns)
    if voice is None:
        return TurnUnit(start_ns, end_ns, follows_break)
    who, weight = voice
    return TurnUnit(start_ns, end_ns, follows_break, who, weight * max(credible))


def _is_pause(before: SpokenWord, after: SpokenWord) -> bool:
    return after.start_ns - before.end_ns >= PAUSE_NS


def _is_break(before: SpokenWord, after: SpokenWord) -> bool:
    return before.ends_sentence or _is_pause(before, after)


def _nearest(words: Sequence[SpokenWord], events_at_ns: Iterable[int]) -> Iterator[int]:
    """Words before which an event is nearest."""
    between_ns = [(one.end_ns + other.start_ns) // 2 for one, other in pairwise(words)]
    for at_ns in events_at_ns:
        after = bisect_right(between_ns, at_ns)
        around = [n for n in (after - 1, after) if 0 <= n < len(between_ns)]
        nearest = min(around, key=lambda n: abs(between_ns[n] - at_ns), default=None)
        if nearest is not None and abs(between_ns[nearest] - at_ns) <= NEAREST_NS:
            yield nearest + 1


def _changes(labels: Sequence[str | None]) -> Iterator[int]:
    """Words with another label than the last that had one."""
    last: str | None = None
    for number, label in enumerate(labels):
        if label is not None:
            if last is not None and label != last:
                yield number
            last = label
