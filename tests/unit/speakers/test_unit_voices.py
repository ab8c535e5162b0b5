"""What labels say of whose words are."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.speakers.heard_words import SpokenWord
from orchestration.speakers.unit_voices import UnitVoice, Voice, credibilities, unit_voice
from tests.unit.speakers.test_turn_taking import words

NAME_WEIGHT, CERTAINTY = 3.0, 6.0


def named(weight: float, certainty: float) -> Callable[[str, int], Voice]:
    """Each label is somebody's."""
    return lambda label, _at_ns: Voice(label, weight, certainty)


def voice(spoken: Sequence[SpokenWord]) -> UnitVoice:
    """The voice of words whose label has a name."""
    found = unit_voice(spoken, credibilities(spoken), named(NAME_WEIGHT, CERTAINTY))
    assert found is not None
    return found


def likely(probability: float, count: int = 1) -> list[SpokenWord]:
    return [replace(one, label_probability=probability) for one in words(20, count, "a")]


def test_the_shorter_a_label_is_heard_the_less_credible_it_is() -> None:
    long, short, none = [*words(20, 6, "a")], words(30, 1, "b"), words(40, 3)
    credible = credibilities([*long, *short, *none])
    assert credible[:6] == [1.0] * 6
    assert 0.5 < credible[6] < 1
    assert credible[7:] == [0.0] * 3


def test_the_label_of_a_single_word_among_those_of_another_is_in_doubt() -> None:
    among = credibilities([*words(20, 6, "a"), *words(22.4, 1, "b")])
    assert among[:6] == [1.0] * 6
    assert among[6] < credibilities(words(30, 1, "b"))[0]


def test_the_label_of_a_whisper_service_weighs_as_its_name_does_and_less_beneath_another() -> None:
    assert voice(words(20, 6, "a")) == UnitVoice("a", NAME_WEIGHT, NAME_WEIGHT - 1)


def test_a_label_weighs_the_more_the_likelier_it_is() -> None:
    weights = [voice(likely(probability)).weight for probability in (0.5, 0.7, 0.9, 0.99)]
    assert weights == sorted(weights)
    assert weights[0] < 0.1
    assert weights[-1] > NAME_WEIGHT


def test_likely_words_say_the_more_the_more_they_are() -> None:
    one, three = voice(likely(0.8)), voice(likely(0.8, 3))
    assert 2 * one.weight < three.weight


def test_what_is_heard_is_no_surer_than_the_name_of_its_label() -> None:
    spoken = likely(0.99, 9)
    weights = []
    for certainty in (-1.0, 1.0, 3.0):
        found = unit_voice(spoken, credibilities(spoken), named(NAME_WEIGHT, certainty))
        assert found is not None
        weights.append(found.weight)
    assert weights == [0.0, pytest.approx(1.0, abs=0.01), pytest.approx(3.0, abs=0.01)]


def test_a_likely_label_says_nothing_of_who_speaks_beneath() -> None:
    assert voice(likely(0.99, 6)).weight_beneath == 0


def test_words_without_a_label_or_whose_label_has_no_name_say_nothing() -> None:
    plain, labelled = words(20, 2), words(20, 2, "a")
    assert unit_voice(plain, credibilities(plain), named(1.0, 1.0)) is None
    assert unit_voice(labelled, credibilities(labelled), lambda *_: None) is None


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2 * 10**9)), min_size=1, max_size=20),
    st.floats(-20, 20),
)
def test_a_voice_never_weighs_less_than_nothing_nor_more_than_its_name(
    told: list[tuple[float, int]], certainty: float
) -> None:
    spoken = [SpokenWord(0, length_ns, "a", False, likely) for likely, length_ns in told]
    found = unit_voice(spoken, credibilities(spoken), named(NAME_WEIGHT, certainty))
    assert found is not None
    assert 0.0 <= found.weight <= max(0.0, certainty) + 1e-6


def test_a_voice_that_is_heard_for_minutes_and_is_unlikely_says_nothing() -> None:
    (word,) = likely(0.1)
    assert voice([replace(word, end_ns=word.start_ns + 10**12)]) == UnitVoice("a", 0.0, 0.0)
