"""From what engines answer to the words of a hypothesis. Pure.

Engines disagree on what a word is. Faster-whisper and whisper.cpp mark the beginning of a word by
a leading space and give its pieces one by one (`" ill"`, `"-disposed"`); the hosted ones give bare
words without punctuation. Here both become whole words that join with single spaces.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestration.services.plain_text import plain_text
from orchestration.services.ports import HypothesisWord
from orchestration.transcript.words import UNSPACED_LANGUAGES, is_one_word

UNTIMED_PROBABILITY = 0.5
"""Of words whose engine gave neither a probability nor anything to derive one from, and of words
whose times are guessed: neither to be trusted over another chunk's, nor to be thrown away."""

PUNCTUATION_REACH = 16
"""Characters between a bare word and the one before it: a dash, quotes, an ellipsis. Looking
further would find short words in the middle of later ones."""


@dataclass(frozen=True, slots=True)
class WordPiece:
    """A word, or a piece of one, as the engine gave it; times in seconds, perhaps not finite."""

    text: str
    start_s: float
    end_s: float
    probability: float
    label: str | None = None


def clip_ms(time_s: float, duration_ms: int, unknown_ms: int) -> int:
    """Seconds as milliseconds within the chunk; a time that is no number is `unknown_ms`."""
    if math.isnan(time_s):
        return unknown_ms
    return round(min(max(time_s * 1000, 0.0), float(duration_ms)))


def whole_words(
    pieces: Sequence[WordPiece], language: str, duration_ms: int
) -> tuple[HypothesisWord, ...]:
    """Words in order, within the chunk, starts never going back, none empty.

    A piece without a leading space continues the word before it, if the engine marks beginnings
    at all; where the language has no spaces, only within numbers and words of other scripts. A
    word is as probable as its pieces on average.
    """
    cleaned = [(plain_text(piece.text), piece) for piece in pieces]
    marked = any(text.startswith(" ") for text, _ in cleaned)
    spaced = language not in UNSPACED_LANGUAGES
    groups: list[list[tuple[str, WordPiece]]] = []

    def continues(before: list[tuple[str, WordPiece]], text: str) -> bool:
        return marked if spaced else is_one_word("".join(one for one, _ in before), text)

    for text, piece in cleaned:
        if groups and text and not text.startswith(" ") and continues(groups[-1], text):
            groups[-1].append((text, piece))
        else:
            groups.append([(text, piece)])
    words: list[HypothesisWord] = []
    previous_start_ms = 0
    for group in groups:
        text = "".join(text for text, _ in group).strip()
        if not text:
            continue
        start_ms = clip_ms(group[0][1].start_s, duration_ms, previous_start_ms)
        start_ms = max(start_ms, previous_start_ms)
        end_ms = clip_ms(group[-1][1].end_s, duration_ms, start_ms)
        probability = sum(_probability(piece) for _, piece in group) / len(group)
        label = next((piece.label for _, piece in group if piece.label), None)
        words.append(HypothesisWord(text, start_ms, max(start_ms, end_ms), probability, label))
        previous_start_ms = start_ms
    return tuple(words)


def spread_words(
    text: str, language: str, start_ms: int, end_ms: int, label: str | None = None
) -> tuple[HypothesisWord, ...]:
    """A segment's words where the engine gave no word times.

    Each gets its share of the segment's time by its characters, and `UNTIMED_PROBABILITY`.
    """
    texts = split_words(text, language)
    total = sum(map(len, texts))
    bounds_ms = [start_ms]
    spoken = 0
    for word in texts:
        spoken += len(word)
        bounds_ms.append(start_ms + (end_ms - start_ms) * spoken // total)
    return tuple(
        HypothesisWord(word, begin, end, UNTIMED_PROBABILITY, label)
        for word, (begin, end) in zip(texts, pairwise(bounds_ms), strict=True)
    )


def split_words(text: str, language: str) -> list[str]:
    """The text's words with their punctuation; characters where the language has no spaces, but
    for its numbers and words of other scripts."""
    runs = plain_text(text).split()
    if language not in UNSPACED_LANGUAGES:
        return runs
    words: list[str] = []
    for run in runs:
        begins = True
        for character in run:
            # Punctuation and combining marks belong to what they follow.
            is_mark = unicodedata.category(character)[0] in "PM"
            if words and (is_mark or (not begins and is_one_word(words[-1], character))):
                words[-1] += character
            else:
                words.append(character)
            begins = False
    return words


def punctuated(words: Iterable[str], text: str, *, marks_spaces: bool = False) -> list[str]:
    """Bare words with the punctuation that the segment's text has around each of them.

    Every word is looked for shortly behind the one before; one that is not there stays as it is.
    With `marks_spaces`, all but those that touch the one before begin with a space.
    """
    result: list[str] = []
    cursor = 0
    for word in words:
        bare = word.strip()
        found = text.find(bare, cursor, cursor + len(bare) + PUNCTUATION_REACH) if bare else -1
        if found < 0:
            result.append(f" {bare}" if marks_spaces else bare)
            continue
        begin, end = found, found + len(bare)
        while begin > cursor and _is_punctuation(text[begin - 1]):
            begin -= 1
        while end < len(text) and _is_punctuation(text[end]):
            end += 1
        touches = 0 < begin == cursor
        result.append(" " * (marks_spaces and not touches) + text[begin:end])
        cursor = end
    return result


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"


def _probability(piece: WordPiece) -> float:
    if math.isnan(piece.probability):
        return UNTIMED_PROBABILITY
    return min(max(piece.probability, 0.0), 1.0)
