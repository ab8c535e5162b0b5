"""Tests of the tests' own scoring: a wrong score would make every acceptance test worthless."""

from __future__ import annotations

import pytest

from tests.scoring import (
    NamedWords,
    Turn,
    Word,
    WordErrors,
    normalise_text,
    share_of_words_named_right,
    word_error_rate,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" … \u2013 ! ", []),
        ("Good morning, everyone.", ["good", "morning", "everyone"]),
        ("cold-hearted", ["cold", "hearted"]),
        ("Don't don\u2019t", ["dont", "dont"]),
        ("\ufb01nd STRASSE straße", ["find", "strasse", "strasse"]),
        ("cafe\u0301 \u00a0amanhã\n", ["café", "amanhã"]),
        ("50 %, 3 p.m.", ["50", "3", "p", "m"]),
    ],
)
def test_normalise_text_keeps_what_is_heard(text: str, words: list[str]) -> None:
    assert normalise_text(text) == words


def test_the_same_words_written_otherwise_are_no_error() -> None:
    errors = word_error_rate("Thank you. We will meet again.", "thank you, we will meet again")
    assert errors == WordErrors(0, 0, 0, 6)
    assert errors.rate == 0.0


def test_each_kind_of_error_is_counted() -> None:
    errors = word_error_rate("one two three four five", "one too three five six seven")
    assert (errors.errors, errors.reference_words) == (4, 5)
    assert errors.rate == pytest.approx(0.8)
    assert word_error_rate("a b c", "a x c") == WordErrors(1, 0, 0, 3)
    assert word_error_rate("a b c", "a c") == WordErrors(0, 1, 0, 3)
    assert word_error_rate("a b c", "a b b c") == WordErrors(0, 0, 1, 3)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "rate"),
    [
        ("", "", WordErrors(0, 0, 0, 0), 0.0),
        ("...", "two words", WordErrors(0, 0, 2, 0), 1.0),
        ("two words", "", WordErrors(0, 2, 0, 2), 1.0),
        ("one", "one and much more", WordErrors(0, 0, 3, 1), 3.0),
    ],
)
def test_nothing_said_and_nothing_written(
    reference: str, hypothesis: str, errors: WordErrors, rate: float
) -> None:
    found = word_error_rate(reference, hypothesis)
    assert found == errors
    assert found.rate == rate


TURNS: list[Turn] = [
    ("Ben", 48_000, 80_000, "The design is ready."),
    ("Ana", 0, 32_000, "Good morning, everyone."),
]


def spoken(text: str, speaker: str | None) -> list[Word]:
    """A transcript's words with times that tell nothing."""
    return [(word, 0.0, 0.0, speaker) for word in text.split()]


def test_words_named_right_wrong_and_not_at_all() -> None:
    words = spoken("good morning", "Ana") + spoken("everyone the", None)
    words += spoken("design", "Ana") + spoken("is ready", "Ben")
    named = share_of_words_named_right(TURNS, words)
    assert named == NamedWords(right=4, wrong=1, unnamed=2)
    shares = (named.right_share, named.wrong_share, named.unnamed_share)
    assert shares == pytest.approx((4 / 7, 1 / 7, 2 / 7))


def test_misheard_words_are_judged_and_lost_or_invented_ones_are_not() -> None:
    words = spoken("Good mourning everyone", "Ana") + spoken("uh", "Carlos")
    words += spoken("the design is ready", "Ben")
    assert share_of_words_named_right(TURNS, words) == NamedWords(right=7, wrong=0, unnamed=0)
    words = spoken("good morning everyone", "Ana") + spoken("design is ready now then", "Ben")
    assert share_of_words_named_right(TURNS, words) == NamedWords(right=6, wrong=0, unnamed=0)


def test_one_written_word_may_stand_for_two_or_for_none() -> None:
    words = spoken("Good-morning ... everyone", "Ana") + spoken("the design is ready", "Ana")
    assert share_of_words_named_right(TURNS, words) == NamedWords(right=3, wrong=4, unnamed=0)


@pytest.mark.parametrize(("turns", "words"), [([], spoken("hello", "Ana")), (TURNS, [])])
def test_nothing_aligned_has_no_shares(turns: list[Turn], words: list[Word]) -> None:
    named = share_of_words_named_right(turns, words)
    assert named == NamedWords(0, 0, 0)
    assert (named.right_share, named.wrong_share, named.unnamed_share) == (0.0, 0.0, 0.0)
