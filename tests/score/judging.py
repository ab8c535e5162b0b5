"""Which words of a transcript have the right name, and how soon.

A transcript's words are matched to the words said by meeteval's time-constrained alignment (von
Neumann et al. 2023), over all speakers at once. A word that matches one said is judged by who said
it. One that was misheard is judged by who spoke at that moment, if that was one person alone. Other
words are nobody's: they show in the word error rates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from meeteval.io.seglst import SegLST
from meeteval.wer.wer.cp import cp_word_error_rate
from meeteval.wer.wer.time_constrained import align, tcp_word_error_rate

from tests.score.known_meetings import KnownMeeting, Person
from tests.score.replay import ToldWord
from tests.scoring import NamedWords, normalise_text

MATCH_COLLAR_S = 2.0
"""A word is looked for this far from where it was said."""

TCP_COLLAR_S = 5.0

UNNAMED = "?"


@dataclass(frozen=True, slots=True)
class JudgedWord:
    """A word of a transcript, and who truly said it."""

    told: ToldWord
    who: Person
    spoken_before_s: float
    """How long they had spoken before it."""
    is_alone: bool
    """Whether nobody else spoke when it was said."""

    @property
    def is_right(self) -> bool:
        return self.told.name == self.who.name


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Errors for each word said. Unnamed words count as those of one more speaker."""

    cp: float
    tcp: float


def judged_words(meeting: KnownMeeting, words: Sequence[ToldWord]) -> list[JudgedWord]:
    """Every word whose true speaker is known."""
    pairs = align(
        SegLST(_said(meeting)),
        SegLST(_written(words)),
        collar=MATCH_COLLAR_S,
        reference_pseudo_word_level_timing="none",
        hypothesis_pseudo_word_level_timing="none",
        style="seglst",
    )
    judged: list[JudgedWord] = []
    for said_word, written in pairs:
        if said_word is None or written is None:
            continue
        who = _speaker(meeting, said_word, written)
        if who is not None:
            before_s = meeting.speech_s(who, float(said_word["start_time"]))
            is_alone = len(meeting.speaking_at(_middle_s(said_word))) == 1
            judged.append(JudgedWord(written["told"], who, before_s, is_alone))
    return judged


def count(words: Iterable[JudgedWord]) -> NamedWords:
    """How many have their speaker's name, another's, or none."""
    fates = Counter(
        "right" if one.is_right else "unnamed" if one.told.name is None else "wrong"
        for one in words
    )
    return NamedWords(fates["right"], fates["wrong"], fates["unnamed"])


def error_rates(meeting: KnownMeeting, words: Sequence[ToldWord]) -> ErrorRates:
    """cpWER and tcpWER of a transcript with its names."""
    said = SegLST(_said(meeting))
    written = SegLST(_written(words))
    collar_free = cp_word_error_rate(said, written)
    constrained = tcp_word_error_rate(
        said,
        written,
        collar=TCP_COLLAR_S,
        reference_pseudo_word_level_timing="none",
        hypothesis_pseudo_word_level_timing="none",
    )
    return ErrorRates(float(collar_free.error_rate), float(constrained.error_rate))


def speech_until_named_s(meeting: KnownMeeting, judged: Sequence[JudgedWord]) -> list[float]:
    """For each person, how long they had spoken when a viewer first saw their name at their words;
    infinite for those who never were named."""
    first_ms: dict[Person, int] = {}
    for one in judged:
        if one.is_right:
            first_ms[one.who] = min(first_ms.get(one.who, one.told.named_ms), one.told.named_ms)
    return [
        meeting.speech_s(who, first_ms[who] / 1000) if who in first_ms else float("inf")
        for who in meeting.people
    ]


def _said(meeting: KnownMeeting) -> list[dict[str, Any]]:
    return [
        {
            "session_id": "",
            "speaker": one.who.name,
            "words": one.text,
            "start_time": one.start_s,
            "end_time": one.end_s,
            "who": one.who,
        }
        for one in meeting.words
    ]


def _written(words: Sequence[ToldWord]) -> list[dict[str, Any]]:
    """Words by their middles: their ends stray most, and what counts is where they are."""
    # One word of a transcript may be two when normalised ("cold-hearted"), or none ("...").
    return [
        {
            "session_id": "",
            "speaker": one.name or UNNAMED,
            "words": text,
            "start_time": (one.start_s + one.end_s) / 2,
            "end_time": (one.start_s + one.end_s) / 2,
            "told": one,
        }
        for one in sorted(words, key=lambda word: word.start_s + word.end_s)
        for text in normalise_text(one.text)
    ]


def _speaker(meeting: KnownMeeting, said: dict[str, Any], written: dict[str, Any]) -> Person | None:
    who: Person = said["who"]
    if said["words"] == written["words"]:
        return who
    speaking = meeting.speaking_at(_middle_s(written))
    return next(iter(speaking)) if len(speaking) == 1 else None


def _middle_s(word: dict[str, Any]) -> float:
    return float(word["start_time"] + word["end_time"]) / 2
