"""Words in units that are one person's: from pause, sentence end or event to the next. Pure.

Conversation analysis calls what a turn is made of, and where it may pass to somebody else, its
units and their transition-relevance places (Sacks, Schegloff and Jefferson 1974).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from orchestration.speakers.heard_words import SpokenWord
from orchestration.speakers.unit_voices import (
    UnitVoice,
    Voice,
    credibilities,
    is_pause,
    unit_voice,
)

NEAREST_NS = 500_000_000
"""A speaking event may be as far as this from the words between which the turn passes."""

LAST = SpokenWord(2**63, 2**63, None)
"""After all words."""


@dataclass(frozen=True, slots=True)
class TurnUnit:
    """Words that are one person's.

    `follows_break`: a pause or the end of a sentence is before it. `voice` is what a diarizer says
    of whose they are.
    """

    start_ns: int
    end_ns: int
    follows_break: bool
    voice: UnitVoice | None = None

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
    return replace(word, end_ns=end_ns)


def _unit(
    words: Sequence[SpokenWord],
    credible: Sequence[float],
    follows_break: bool,
    voice_of: Callable[[str, int], Voice | None],
) -> TurnUnit:
    start_ns = words[0].start_ns
    end_ns = max(start_ns + 1, *(one.end_ns for one in words))
    return TurnUnit(start_ns, end_ns, follows_break, unit_voice(words, credible, voice_of))


def _is_break(before: SpokenWord, after: SpokenWord) -> bool:
    return before.ends_sentence or is_pause(before, after)


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
