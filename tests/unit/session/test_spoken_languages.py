"""A stream's language settles; a short or lone answer does not settle it."""

from dataclasses import replace

from orchestration.services.ports import Hypothesis, HypothesisSegment
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


def said(language: str, log_probability: float) -> Hypothesis:
    heard = words(*THREE, language=language)
    segment = replace(heard.segments[0], average_log_probability=log_probability)
    return replace(heard, segments=(segment,))


def test_a_meeting_that_goes_on_in_another_language_is_heard_in_it() -> None:
    languages = SpokenLanguages(None)
    for answer in (said("en", -0.3), said("en", -0.5)):
        languages.heard(0, answer)
    for log_probability in (-1.2, -0.5, -0.9):
        languages.heard(0, said("en", log_probability))
        assert languages.of(0) == "en"
    languages.heard(0, said("en", -1.1))
    assert languages.of(0) is None
    for answer in (said("de", -0.3), said("de", -0.4)):
        languages.heard(0, answer)
    assert languages.of(0) == "de"


def test_noise_and_engines_without_figures_do_not_unsettle_a_language() -> None:
    languages = SpokenLanguages(None)
    for _ in range(2):
        languages.heard(0, said("en", -0.3))
    unknown = words(*THREE)
    unknown = replace(unknown, segments=(HypothesisSegment(unknown.segments[0].words),))
    noise = replace(said("en", -1.2), segments=())
    for answer in (unknown, noise) * 3:
        languages.heard(0, answer)
    assert languages.of(0) == "en"


def test_a_given_language_is_not_doubted() -> None:
    languages = SpokenLanguages("pt")
    for _ in range(5):
        languages.heard(0, said("pt", -1.2))
    assert languages.of(0) == "pt"


def test_short_or_undetermined_answers_settle_nothing() -> None:
    languages = SpokenLanguages(None)
    for _ in range(3):
        languages.heard(0, words(("a", 0, 1), language="cy"))
        languages.heard(0, words(*THREE, language="und"))
    assert languages.of(0) is None
