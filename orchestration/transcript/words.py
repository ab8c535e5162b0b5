"""Words and how they join to text."""

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

    @property
    def middle_sample(self) -> int:
        return (self.start_sample + self.end_sample) // 2


def join_words(texts: Iterable[str], language: str) -> str:
    """The words as one line of text, spaced as the language is written."""
    return ("" if language in UNSPACED_LANGUAGES else " ").join(texts)


def normalise_word(text: str) -> str:
    """The word as it is compared: NFKC, case folded, without punctuation or symbols."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "PSZC")
