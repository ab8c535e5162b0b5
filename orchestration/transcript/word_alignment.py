"""Which words of two hearings of the same audio are the same.

A global alignment (Needleman & Wunsch 1970, its end nearly free) over pairs scored by likeness
(Levenshtein 1966) and by time together, so that a true repetition ("no, no") stays two words, while
one word heard twice stays one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.transcript.words import Word, normalise_word

LIKENESS_WEIGHT = 0.7
"""Score of a pair of equal words; pairs of entirely different ones score minus this."""

TIME_WEIGHT = 0.6
"""Score of a pair at the same time; falls to minus this as the middles move apart."""

GAP_SCORE = -0.35
"""Score of a word without a partner. Two of them cost more than a pair of different words at one
time, so that a word heard differently the second time is still the same word."""

TRAILING_GAP_SCORE = -0.1
"""Score of a heard word behind the last pair. It is likely to be new, so that lacking a partner
says little; at the full gap score, the end of "yes, yes, yes" is drawn back onto its beginning."""

COMPARED_CHARACTERS = 64
"""Of a word; the rest of a longer one, which an engine's loop may write, says nothing more about
its likeness and would cost the square of its length."""


@dataclass(frozen=True, slots=True)
class TimeTolerance:
    """How far apart one word may be timed when it is heard twice, in samples of the stream."""

    time_scale: int
    """Distance of two words' middles at which time speaks neither for nor against a pair."""
    max_shift: int
    """Words whose middles are further apart are never a pair."""


def is_same_word(one: Word, other: Word) -> bool:
    """Whether two words are written alike but for case and punctuation, and say something."""
    norm = normalise_word(one.text)
    return bool(norm) and norm == normalise_word(other.text)


def aligned(
    committed: Sequence[Word], heard: Sequence[Word], tolerance: TimeTolerance
) -> list[tuple[int, int]]:
    """Pairs (index into committed, index into heard) of the best global alignment, in order.

    Both are in the order in which they were said. Costs the product of their lengths.
    """
    norms = [normalise_word(word.text) for word in heard]
    width = len(heard) + 1
    # scores[i][j]: the best alignment of the first i committed with the first j heard words.
    scores = [[GAP_SCORE * j for j in range(width)]]
    paired = [[False] * width]
    for i, word in enumerate(committed):
        norm = normalise_word(word.text)
        above, row, row_paired = scores[i], [GAP_SCORE * (i + 1)], [False]
        for j, other in enumerate(heard):
            best = max(above[j + 1], row[j]) + GAP_SCORE
            shift = abs(word.middle_sample - other.middle_sample)
            pair = above[j] + _pair_score(norm, norms[j], shift, tolerance)
            is_pair = shift <= tolerance.max_shift and pair >= best
            row.append(pair if is_pair else best)
            row_paired.append(is_pair)
        scores.append(row)
        paired.append(row_paired)

    pairs: list[tuple[int, int]] = []
    i = len(committed)
    j = max(range(width), key=lambda end: scores[i][end] + TRAILING_GAP_SCORE * (width - 1 - end))
    while i and j:
        if paired[i][j]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif scores[i - 1][j] >= scores[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _pair_score(one: str, other: str, shift: int, tolerance: TimeTolerance) -> float:
    if shift > tolerance.max_shift:
        return float("-inf")
    nearness = max(-1.0, 1 - shift / tolerance.time_scale)
    return LIKENESS_WEIGHT * (2 * _likeness(one, other) - 1) + TIME_WEIGHT * nearness


def _likeness(one: str, other: str) -> float:
    """1 for equal strings down to 0: one minus Levenshtein distance over the longer length."""
    if one == other:
        return 1.0
    one, other = one[:COMPARED_CHARACTERS], other[:COMPARED_CHARACTERS]
    previous = list(range(len(other) + 1))
    for i, character in enumerate(one, start=1):
        current = [i]
        for j, opposite in enumerate(other, start=1):
            substituted = previous[j - 1] + (character != opposite)
            current.append(min(substituted, previous[j] + 1, current[j - 1] + 1))
        previous = current
    return 1 - previous[-1] / max(len(one), len(other))
