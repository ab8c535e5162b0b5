"""Words and how they join to text."""

import string
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "km", "yue", "bo"})
"""Languages written without spaces between words (ISO 639-1, and `yue`)."""


@dataclass(frozen=True, slots=True)
class Word:
    """A heard word; its bounds are samples of its stream, `start_sample <= end_sample`."""

    text: str
    start_sample: int
    end_sample: int
    probability: float
    label: str | None = None
    """The voice, as diarization labels it; see `orchestration.speakers.labels`."""
    label_probability: float | None = None
    """How likely it is that voice; None where the diarizer says no more than the label."""

    @property
    def middle_sample(self) -> int:
        return (self.start_sample + self.end_sample) // 2


def join_words(texts: Iterable[str], language: str) -> str:
    """The words as one line of text, spaced as the language is written.

    In a language without spaces, words of a script that has them stand apart from each other
    (`用 machine learning 做` is `用machine learning做`).
    """
    if language not in UNSPACED_LANGUAGES:
        return " ".join(texts)
    joined: list[str] = []
    for text in texts:
        if joined and _ends_spaced(joined[-1]) and _is_spaced(text[:1]):
            joined.append(" ")
        joined.append(text)
    return "".join(joined)


def is_one_word(before: str, after: str) -> bool:
    """Whether two texts that touch are one word, though their language has no spaces: `20` and
    `26`, `iPhone` and `'s`, but not a character of Chinese and what follows it."""
    touching = before[-1:] + after[:1]
    return any(map(_is_spaced, before)) and _is_western(touching) and " " not in touching


def _ends_spaced(text: str) -> bool:
    return _is_spaced(text.rstrip(string.punctuation)[-1:])


def _is_spaced(character: str) -> bool:
    """Whether this is a letter or digit of a script that is written with spaces."""
    return character.isalnum() and _is_western(character)


def _is_western(text: str) -> bool:
    """Whether all characters are of scripts before Thai and Lao, or of extended Latin and Greek."""
    return all(c < "\u0e00" or "\u1e00" <= c < "\u2000" for c in text)


def normalise_word(text: str) -> str:
    """The word as it is compared: NFKC, case folded, without punctuation or symbols."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "PSZC")
