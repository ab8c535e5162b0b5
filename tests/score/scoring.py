"""The score of a meeting under a condition, over some seeds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tests.benchmarks.figures import percentile
from tests.score.judging import (
    ErrorRates,
    JudgedWord,
    count,
    error_rates,
    judged_words,
    speech_until_named_s,
)
from tests.score.known_meetings import KnownMeeting
from tests.score.labels import labelled
from tests.score.platform import Condition, facts
from tests.score.replay import Answer, Played, ToldWord, replay
from tests.scoring import NamedWords

KNOWN_AFTER_S = 10.0
"""Once somebody has spoken for this long, their words should have their name."""

MAX_WRONG = 0.01
MIN_RIGHT = 0.95
"""Bars for the words of people who are known: shares with another's name, and with their own."""


@dataclass(frozen=True, slots=True)
class Score:
    """Sums over all seeds, and means of the error rates."""

    condition: Condition
    rates: ErrorRates
    best_rates: ErrorRates
    """With every word's true name: what is left is whisper's doing."""
    words: NamedWords
    known: NamedWords
    """Words of people who have spoken for KNOWN_AFTER_S before."""
    known_alone: NamedWords
    """Of these, the words over which nobody else speaks."""
    until_named_s: float
    """How long somebody has spoken when their name is first seen: p50 of people and seeds."""
    lags_ms: Sequence[int]
    """The platform's lag as it was found, seed by seed."""

    @property
    def misses(self) -> list[str]:
        """The bars that this score is below."""
        missed: list[str] = []
        if not self.known.aligned:
            return missed
        if self.known.right_share < MIN_RIGHT:
            missed.append(f"right {self.known.right_share:.1%} < {MIN_RIGHT:.0%}")
        if self.known.wrong_share > MAX_WRONG:
            missed.append(f"wrong {self.known.wrong_share:.1%} > {MAX_WRONG:.0%}")
        return missed


async def score(meeting: KnownMeeting, condition: Condition, answer: Answer, seeds: int) -> Score:
    """Replay a meeting under a condition; once where nothing in it is random."""
    judged: list[JudgedWord] = []
    rates: list[ErrorRates] = []
    best: list[ErrorRates] = []
    until_named_s: list[float] = []
    lags_ms: list[int] = []
    for seed in range(seeds if condition.is_random else 1):
        played = await play_once(meeting, condition, answer, seed)
        of_this = judged_words(meeting, played.words)
        judged += of_this
        rates.append(error_rates(meeting, played.words))
        best.append(error_rates(meeting, _truly_named(played.words, of_this)))
        until_named_s += speech_until_named_s(meeting, of_this)
        lags_ms.append(played.lag_ms)
    known = [one for one in judged if one.spoken_before_s >= KNOWN_AFTER_S]
    return Score(
        condition,
        _mean(rates),
        _mean(best),
        count(judged),
        count(known),
        count(one for one in known if one.is_alone),
        percentile(until_named_s, 0.5),
        lags_ms,
    )


async def play_once(
    meeting: KnownMeeting, condition: Condition, answer: Answer, seed: int
) -> Played:
    """One replay, the same for the same seed."""
    chance = random.Random(seed)
    said = facts(meeting, condition, chance)
    if condition.confused_labels is not None:
        answer = labelled(answer, meeting, condition.confused_labels, chance)
    return await replay(meeting, said, answer)


def _truly_named(words: Sequence[ToldWord], judged: Sequence[JudgedWord]) -> list[ToldWord]:
    names = {id(one.told): one.who.name for one in judged}
    return [replace(word, name=names.get(id(word), word.name)) for word in words]


def _mean(rates: Sequence[ErrorRates]) -> ErrorRates:
    return ErrorRates(fmean(one.cp for one in rates), fmean(one.tcp for one in rates))
