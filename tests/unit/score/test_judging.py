"""Whose word a transcript's word truly is, also where two speak at once."""

import numpy as np

from tests.score.judging import (
    count,
    error_rates,
    judged_words,
    speech_until_named_s,
)
from tests.score.known_meetings import KnownMeeting, Person, Turn
from tests.score.replay import ToldWord
from tests.scoring import NamedWords

RATE = 1000
ANA, BEN = Person("p1", "Ana"), Person("p2", "Ben")

MEETING = KnownMeeting(
    "small",
    RATE,
    np.zeros(12 * RATE, np.int16),
    [ANA, BEN],
    [
        Turn(ANA, 0, 4000, "good morning all of you"),
        Turn(BEN, 3000, 5000, "hello there"),
        Turn(BEN, 6000, 10_000, "we can begin now"),
    ],
)


def told(text: str, start_s: float, name: str | None, named_ms: int = 6000) -> ToldWord:
    return ToldWord(text, start_s, start_s + 0.3, name, name, named_ms, named_ms)


PERFECT = [
    *(told(word.text, word.start_s, word.who.name) for word in MEETING.words),
]


def test_a_perfect_transcript_has_no_errors_and_only_right_names() -> None:
    judged = judged_words(MEETING, PERFECT)
    assert count(judged) == NamedWords(right=11, wrong=0, unnamed=0)
    rates = error_rates(MEETING, PERFECT)
    assert (rates.cp, rates.tcp) == (0, 0)


def test_of_two_who_speak_at_once_each_has_their_own_words() -> None:
    words = [told("you", 3.5, "Ana"), told("hello", 3.2, "Ana"), told("there", 4.2, "Ben")]
    judged = judged_words(MEETING, sorted(words, key=lambda one: one.start_s))
    fates = {one.told.text: (one.who.name, one.is_right, one.is_alone) for one in judged}
    assert fates["there"] == ("Ben", True, True)
    assert fates["hello"] == ("Ben", False, False)


def test_a_misheard_word_is_judged_only_where_one_person_speaks() -> None:
    misheard = {"begin": "benign", "hello": "yellow"}
    words = [
        told(misheard.get(one.text, one.text), word.start_s, word.who.name)
        for word, one in zip(MEETING.words, PERFECT, strict=True)
    ]
    judged = {one.told.text: one.who for one in judged_words(MEETING, words)}
    assert judged["benign"] == BEN
    assert "yellow" not in judged


def test_swapped_names_cost_nothing_in_cp_wer_and_all_words_here() -> None:
    other = {"Ana": "Ben", "Ben": "Ana"}
    words = [told(one.text, one.start_s, other[one.name or ""]) for one in PERFECT]
    assert error_rates(MEETING, words).cp == 0
    assert count(judged_words(MEETING, words)) == NamedWords(right=0, wrong=11, unnamed=0)


def test_unnamed_words_are_one_more_speaker_s() -> None:
    words = [told(one.text, one.start_s, None) for one in PERFECT]
    assert error_rates(MEETING, words).cp > 0
    assert count(judged_words(MEETING, words)).unnamed == 11


def test_how_long_somebody_speaks_until_their_name_is_seen() -> None:
    judged = judged_words(MEETING, [told("good", 0.1, "Ana", named_ms=3000)])
    assert speech_until_named_s(MEETING, judged) == [3.0, float("inf")]
