"""What a diarizer's labels say of whose a unit of words is. Pure.

Whoever says how likely each label is, is believed by that, as far as the label's name is certain.
Of others the rule is that they err most on what is too short to have a voice.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from typing import NamedTuple

from orchestration.speakers.heard_words import SpokenWord

PAUSE_NS = 200_000_000
"""Silence between two words in which a turn may pass."""

MIN_VOICE_NS = 1_000_000_000
"""A label that has less of the words between two pauses is less credible."""

DOUBTED = 0.5
"""How much less, if another label has most of them."""

FOREMOST_SHARE = 0.7
"""Share of the words between two pauses by which a label has most of them."""

BENEATH = 1.0
"""Against a voice's being not that of whose words are written, but of whoever speaks at the same
time. Of the known meetings' words in overlaps that is so one time in four or five."""

MOST_LIKELY, LEAST_LIKELY = 0.99, 0.01
"""No label is likelier than the first, nor less likely than the second."""

SHARPNESS = 1.5
"""How much more the odds of likely labels weigh: they are told of each voice by itself, and a
listener hears a word in windows of a second that have others' words in them."""

INDEPENDENT_NS = 500_000_000
"""Words apart by this are heard by themselves: what they say adds up."""

MAX_HEARD = 30.0
"""No more than this is added up either way, as a logarithm."""


class Voice(NamedTuple):
    """Whose a label is, by its name (`LabelName`): the weight of a label that comes without its
    probability, and how certain the name itself is, as logarithms of odds."""

    who: str
    weight: float
    certainty: float


@dataclass(frozen=True, slots=True)
class UnitVoice:
    """Whose voice a diarizer takes a unit to be.

    Logarithms of how much likelier it is than another's: `weight` where that one is written down,
    `weight_beneath` where that one speaks while another's words are written.
    """

    who: str
    weight: float
    weight_beneath: float


def unit_voice(
    words: Sequence[SpokenWord],
    credible: Sequence[float],
    voice_of: Callable[[str, int], Voice | None],
) -> UnitVoice | None:
    """The voice in words that have one label, or none; `credible` is of `credibilities`."""
    first = next((one for one in words if one.label is not None), None)
    voice = None
    if first is not None and first.label is not None:
        voice = voice_of(first.label, words[0].start_ns)
    if first is None or voice is None:
        return None
    if first.label_probability is not None:
        return UnitVoice(voice.who, _likely_weight(words, voice.certainty), 0.0)
    weight = voice.weight * max(credible)
    return UnitVoice(voice.who, weight, max(0.0, weight - BENEATH))


def credibilities(words: Sequence[SpokenWord]) -> list[float]:
    """How credible each word's label is, from 0 to 1, where its diarizer does not say: those err
    most on what is too short to have a voice, and it may as well be somebody who interjects."""
    if all(one.label is None for one in words):
        return [0.0] * len(words)
    edges = [0, *(n for n in range(1, len(words)) if is_pause(words[n - 1], words[n])), len(words)]
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


def is_pause(before: SpokenWord, after: SpokenWord) -> bool:
    """Whether there is silence between two words."""
    return after.start_ns - before.end_ns >= PAUSE_NS


def _likely_weight(words: Sequence[SpokenWord], certainty: float) -> float:
    """The odds that words are of whoever their label is: they are of that voice, on average and
    the more the longer they are, and the voice has that name."""
    total_ns, weighed = 0, 0.0
    for word in words:
        if word.label_probability is not None:
            length_ns = max(1, word.end_ns - word.start_ns)
            likely = max(LEAST_LIKELY, min(MOST_LIKELY, word.label_probability))
            total_ns += length_ns
            weighed += length_ns * log(likely / (1 - likely))
    heard = SHARPNESS * max(1.0, total_ns / INDEPENDENT_NS) * weighed / total_ns
    both = _share(max(-MAX_HEARD, min(MAX_HEARD, heard))) * _share(certainty)
    return max(0.0, log(both / (1 - both)))


def _share(odds: float) -> float:
    """The logistic function."""
    return 1 / (1 + exp(-odds))
