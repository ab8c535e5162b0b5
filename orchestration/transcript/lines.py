"""Lines: committed words gathered until a sentence, a breath or a speaker ends."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestration.transcript.segments import SpeakerName
from orchestration.transcript.words import Word

SENTENCE_ENDS = frozenset(".?!。؟।॥።፧။។\N{ARABIC FULL STOP}\N{ARMENIAN FULL STOP}")
"""Also the marks of Arabic, Urdu, Hindi and its kin, Armenian, Amharic, Burmese and Khmer."""
CLAUSE_ENDS = frozenset(",;:、،؛፣၊")
ABBREVIATIONS = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "st", "sr", "sra", "jr", "vs", "approx", "dept"}
)
"""Words whose full stop rarely ends a sentence, in lower case."""


@dataclass(frozen=True, slots=True)
class LinePolicy:
    """When a line closes, in samples of the stream."""

    pause: int
    """A silence between two words that ends a line."""
    soft_limit: int
    """From this length on a line closes at the next comma, semicolon or colon."""
    hard_limit: int
    """A line closes rather than take a word beyond this length."""

    @classmethod
    def from_ms(
        cls,
        sample_rate: int,
        pause_ms: int = 700,
        soft_limit_ms: int = 5000,
        hard_limit_ms: int = 10_000,
    ) -> "LinePolicy":
        """The policy for a stream of `sample_rate` samples a second."""
        return cls(
            pause=pause_ms * sample_rate // 1000,
            soft_limit=soft_limit_ms * sample_rate // 1000,
            hard_limit=hard_limit_ms * sample_rate // 1000,
        )


@dataclass(frozen=True, slots=True)
class AttributedWord:
    """A committed word with who said it, if known, and its language (ISO 639-1)."""

    word: Word
    speaker: SpeakerName | None
    language: str

    @property
    def speaker_id(self) -> str | None:
        return self.speaker.speaker_id if self.speaker else None


@dataclass(frozen=True, slots=True)
class Line:
    """One or more consecutive words of one speaker in one language."""

    words: tuple[AttributedWord, ...]

    @property
    def speaker(self) -> SpeakerName | None:
        """The line's speaker, as sure as its least sure word."""
        named = [word.speaker for word in self.words if word.speaker]
        return min(named, key=lambda speaker: speaker.confidence) if named else None

    @property
    def language(self) -> str:
        return self.words[0].language


class LineBuilder:
    """Gathers one stream's words into lines. A closed line never changes."""

    def __init__(self, policy: LinePolicy) -> None:
        self._policy = policy
        self._open: list[AttributedWord] = []

    @property
    def open_words(self) -> tuple[AttributedWord, ...]:
        """Words of the line that is not closed yet."""
        return tuple(self._open)

    def add(self, words: Sequence[AttributedWord], *, utterance_over: bool) -> list[Line]:
        """Take committed words; returns the lines they close.

        A mark that comes as a word of its own joins the word before it, whoever is said to have
        spoken it. Marks with no word to join form no line.

        Args:
            words: in the order they were committed.
            utterance_over: a silence follows, so that what is open closes as well.
        """
        closed: list[Line] = []
        for position, word in enumerate(words):
            if self._open and is_mark(word.word.text):
                self._open[-1] = _with_mark(self._open[-1], word.word.text)
            else:
                if self._open and self._breaks_before(word):
                    self._close(closed)
                self._open.append(word)
            # A mark that follows belongs to this line, so the decision is its.
            followed = position + 1 < len(words) and is_mark(words[position + 1].word.text)
            if not followed and self._ends_line():
                self._close(closed)
        if utterance_over and self._open:
            self._close(closed)
        return closed

    def _breaks_before(self, word: AttributedWord) -> bool:
        first, last = self._open[0], self._open[-1]
        return (
            word.speaker_id != last.speaker_id
            or word.language != last.language
            or word.word.start_sample - last.word.end_sample >= self._policy.pause
            or word.word.end_sample - first.word.start_sample > self._policy.hard_limit
        )

    def _ends_line(self) -> bool:
        text = self._open[-1].word.text
        length = self._open[-1].word.end_sample - self._open[0].word.start_sample
        return ends_sentence(text) or (
            length >= self._policy.soft_limit and _bare(text)[-1:] in CLAUSE_ENDS
        )

    def _close(self, closed: list[Line]) -> None:
        if not all(is_mark(word.word.text) for word in self._open):
            closed.append(Line(tuple(self._open)))
        self._open = []


def is_mark(text: str) -> bool:
    """Whether this is punctuation alone; `&` is read aloud and therefore a word."""
    return all(unicodedata.category(c)[0] in "PZ" and c != "&" for c in text)


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends with this word.

    A full stop does not count after a title (`Dr.`), an initial (`J.`), dotted letters (`e.g.`)
    or a number of one or two digits (`3.`, which counts or goes on as a decimal).
    """
    bare = _bare(text)
    if bare[-1:] not in SENTENCE_ENDS:
        return False
    if not bare.endswith(".") or bare.endswith(".."):
        return True
    stem = bare[:-1]
    is_initial = len(stem) == 1 and stem.isupper()
    is_dotted = len(stem) > 1 and all(len(part) == 1 for part in stem.split("."))
    is_count = len(stem) <= 2 and stem.isdecimal()
    return not (is_initial or is_dotted or is_count or stem.casefold() in ABBREVIATIONS)


def _bare(text: str) -> str:
    """The word without quotes and brackets around it, its marks in their ASCII form.

    NFKC turns full-width marks into plain ones, and the one-character ellipsis into three stops.
    """
    start, end = 0, len(text)
    while start < end and _encloses(text[start]):
        start += 1
    while end > start and _encloses(text[end - 1]):
        end -= 1
    return unicodedata.normalize("NFKC", text[start:end])


def _encloses(character: str) -> bool:
    return character in "\"'" or unicodedata.category(character) in {"Ps", "Pe", "Pi", "Pf"}


def _with_mark(word: AttributedWord, mark: str) -> AttributedWord:
    # The word keeps its times: whisper puts marks anywhere in the pause that follows.
    return replace(word, word=replace(word.word, text=word.word.text + mark.strip()))
