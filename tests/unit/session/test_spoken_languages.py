"""A stream's language settles; a short or lone answer does not settle it."""

from dataclasses import replace

from orchestration.session.spoken_languages import SpokenLanguages
from tests.unit.session.meeting import words

THREE = (("a", 0, 1), ("b", 1, 2), ("c", 2, 3))


def test_the_given_language_stands() -> None:
    languages = SpokenLanguages("pt")
    languages.heard(0, words(*THREE, language="en"))
    languages.heard(0, words(*THREE, language="en"))
    assert languages.of(0) == "pt"


def test_two_answers_in_a_row_settle_a_stream_s_language() -> None:
    languages = SpokenLanguages(None)
    for heard, expected in (("en", None), ("cy", None), ("en", None), ("en", "en"), ("pt", "en")):
        languages.heard(0, words(*THREE, language=heard))
        assert languages.of(0) == expected
    assert languages.of(1) is None


def test_words_that_are_not_believed_settle_nothing() -> None:
    languages = SpokenLanguages(None)
    heard = words(*THREE, language="cy")
    invented = replace(heard.segments[0], no_speech_probability=0.9, average_log_probability=-1.2)
    for _ in range(3):
        languages.heard(0, replace(heard, segments=(invented,)))
    assert languages.of(0) is None


def test_short_or_undetermined_answers_settle_nothing() -> None:
    languages = SpokenLanguages(None)
    for _ in range(3):
        languages.heard(0, words(("a", 0, 1), language="cy"))
        languages.heard(0, words(*THREE, language="und"))
    assert languages.of(0) is None
