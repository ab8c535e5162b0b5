"""Words cut where a turn may pass."""

from orchestration.speakers.heard_words import MAX_WORDS, HeardWords, SpokenWord
from orchestration.speakers.turn_units import turn_units
from orchestration.speakers.unit_voices import Voice
from tests.unit.speakers.test_speaking_events import SECOND
from tests.unit.speakers.test_turn_taking import words


def whose(label: str, _at_ns: int) -> Voice:
    return Voice(label.upper(), 2.0, 2.0)


def starts_s(spoken: list[SpokenWord], *events_s: float) -> list[float]:
    events_ns = [int(one * SECOND) for one in events_s]
    return [one.start_ns / SECOND for one in turn_units(spoken, events_ns, whose)]


def test_a_turn_may_pass_in_a_pause_and_at_the_end_of_a_sentence() -> None:
    assert starts_s([*words(0, 5), *words(2, 5), *words(4.3, 5)]) == [0, 2, 4.3]


def test_a_turn_may_pass_between_the_words_that_an_event_is_nearest_to() -> None:
    assert starts_s(words(0, 10), 1.7, 30) == [0, 1.6]


def test_a_turn_may_pass_where_another_voice_begins() -> None:
    spoken = [
        *(SpokenWord(n * SECOND, (n + 1) * SECOND, "a") for n in range(3)),
        *(SpokenWord(n * SECOND, (n + 1) * SECOND, "b") for n in range(3, 6)),
    ]
    voices = [one.voice for one in turn_units(spoken, [], whose)]
    assert [one and one.who for one in voices] == ["A", "B"]


def test_a_word_that_lasts_into_the_next_ones_ends_where_they_begin() -> None:
    spoken = [SpokenWord(0, 9 * SECOND, None, True), *words(1, 3)]
    assert [one.end_ns / SECOND for one in turn_units(spoken, [], whose)] == [1, 2.2]


def test_words_heard_anew_take_the_place_of_the_old() -> None:
    heard = HeardWords()
    assert heard.heard(words(0, 10, "a"))
    assert heard.heard(words(2, 5, "b"))
    assert [one.label for one in heard.between(0, 10 * SECOND)] == ["a"] * 5 + ["b"] * 5
    assert not heard.heard(words(2, 5, "b"))


def test_words_are_remembered_with_all_that_was_told_of_them() -> None:
    heard = HeardWords()
    told = [SpokenWord(0, SECOND, "a", False, 0.7), SpokenWord(SECOND, 2 * SECOND, None, True)]
    heard.heard(told)
    assert heard.between(0, 9 * SECOND) == told
    assert not heard.heard(told)


def test_the_words_in_memory_are_bounded() -> None:
    heard = HeardWords()
    for n in range(0, 2 * MAX_WORDS, 10):
        heard.heard(words(n, 1))
    many = words(100_000, 2 * MAX_WORDS)
    for n in range(0, len(many), 100):
        heard.heard(many[n : n + 100])
    assert not heard.knows(0)
    assert heard.knows(many[-1].start_ns)
    assert len(heard.between(0, 10**18)) <= MAX_WORDS
