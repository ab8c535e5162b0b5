"""How right a transcript is: its words against the words said, its names against who said them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import jiwer

Turn: TypeAlias = tuple[str, int, int, str]
"""Participant's name, start and end in samples (end exclusive), what was said."""

Word: TypeAlias = tuple[str, float, float, str | None]
"""A transcript's word, its start and end in seconds, its speaker's name or None."""

APOSTROPHES = "'\u2018\u2019\u02bc"


@dataclass(frozen=True)
class WordErrors:
    """What it takes to turn the words said into the words of a transcript."""

    substitutions: int
    deletions: int
    insertions: int
    reference_words: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per word said: 0 is perfect, and insertions can take it beyond 1."""
        if self.reference_words == 0:
            return float(self.insertions > 0)
        return self.errors / self.reference_words


@dataclass(frozen=True)
class NamedWords:
    """How many of the words said carry their speaker's name, another's, or none.

    Only words that the transcript has, right or misheard, are counted: one that it lost has no name
    to judge, and shows in the word error rate instead.
    """

    right: int
    wrong: int
    unnamed: int

    @property
    def aligned(self) -> int:
        return self.right + self.wrong + self.unnamed

    @property
    def right_share(self) -> float:
        return self._share(self.right)

    @property
    def wrong_share(self) -> float:
        return self._share(self.wrong)

    @property
    def unnamed_share(self) -> float:
        return self._share(self.unnamed)

    def _share(self, count: int) -> float:
        return count / self.aligned if self.aligned else 0.0


def normalise_text(text: str) -> list[str]:
    """The words of a text without what the ear does not hear: case, punctuation, letter forms.

    Hyphens and other punctuation part words; apostrophes vanish, so that "don't" stays one word
    whichever apostrophe it is written with. Accents and figures stay as they are.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(_heard(character) for character in folded).split()


def word_error_rate(reference: str, hypothesis: str) -> WordErrors:
    """Compares what was said (reference) with what a transcript says (hypothesis)."""
    said, written = normalise_text(reference), normalise_text(hypothesis)
    if not said:
        return WordErrors(0, 0, len(written), 0)
    output = jiwer.process_words(" ".join(said), " ".join(written))
    return WordErrors(output.substitutions, output.deletions, output.insertions, len(said))


def share_of_words_named_right(turns: Sequence[Turn], words: Sequence[Word]) -> NamedWords:
    """Judges the speaker names of a transcript's words by whose turn the words belong to.

    Words are matched to the words said by their order alone, so that a transcript whose times are
    off is not judged by them. Turns are taken by their start, words as they are given; names are
    compared exactly.
    """
    said = [
        (text, name)
        for name, _start, _end, turn in sorted(turns, key=lambda turn: turn[1:3])
        for text in normalise_text(turn)
    ]
    # One word of a transcript may be two when normalised ("cold-hearted"), or none ("...").
    written = [(text, word[3]) for word in words for text in normalise_text(word[0])]
    right = wrong = unnamed = 0
    for said_index, written_index in _matches([t for t, _ in said], [t for t, _ in written]):
        speaker, named = said[said_index][1], written[written_index][1]
        if named is None:
            unnamed += 1
        elif named == speaker:
            right += 1
        else:
            wrong += 1
    return NamedWords(right, wrong, unnamed)


def _heard(character: str) -> str:
    if character in APOSTROPHES:
        return ""
    return " " if unicodedata.category(character)[0] in "PSZC" else character


def _matches(said: Sequence[str], written: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Indices of the words of both that stand for each other, equal or substituted."""
    if not said or not written:
        return
    for chunk in jiwer.process_words(" ".join(said), " ".join(written)).alignments[0]:
        if chunk.type in ("equal", "substitute"):
            yield from zip(
                range(chunk.ref_start_idx, chunk.ref_end_idx),
                range(chunk.hyp_start_idx, chunk.hyp_end_idx),
                strict=True,
            )
