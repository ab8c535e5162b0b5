"""Whole utterances decide where speaking events tell less."""

from orchestration.speakers.correlator import Correlator
from orchestration.speakers.utterances import MAX_WORDS, SpokenWord, Utterances
from orchestration.transcript.segments import Segment, TimedWord
from tests.unit.speakers.test_speaking_events import ANA, BEN, SECOND, name_at, with_turns


def words(start_s: float, count: int, label: str | None = None) -> list[SpokenWord]:
    """Words of 0.4 s, one after the other."""
    starts_ns = [int((start_s + 0.4 * n) * SECOND) for n in range(count)]
    return [SpokenWord(at_ns, at_ns + 400_000_000, label) for at_ns in starts_ns]


def names(correlator: Correlator, spoken: list[SpokenWord]) -> list[str | None]:
    found = [correlator.speaker_of(0, one.start_ns, one.end_ns, one.label) for one in spoken]
    return [None if one is None else one.name for one in found]


def test_a_turn_without_events_is_not_its_neighbours_at_its_ends() -> None:
    correlator = with_turns((ANA, 0, 4), (BEN, 8.6, 12))
    lost = words(4.3, 10)
    correlator.overheard(0, lost)
    assert names(correlator, lost) == [None] * 10


def test_a_turn_reaches_to_the_pauses_around_it() -> None:
    correlator = with_turns((ANA, 0.4, 3.6))
    spoken = words(0, 10)
    correlator.overheard(0, spoken)
    assert names(correlator, spoken) == ["Ana"] * 10


def test_an_interjection_inside_a_turn_without_events_names_none_of_its_words() -> None:
    correlator = with_turns((ANA, 0, 4), (BEN, 7, 7.8))
    lost = words(5, 12)
    correlator.overheard(0, lost)
    assert names(correlator, lost) == [None] * 12


def test_a_short_line_of_one_s_own_inside_anothers_turn_is_nobody_s() -> None:
    correlator = with_turns((ANA, 0, 9), (BEN, 5, 5.7))
    correlator.overheard(0, [*words(0, 12), *words(5.1, 1), *words(5.8, 6)])
    assert names(correlator, words(5.1, 1)) == [None]
    correlator.overheard(0, words(4.5, 8))
    assert names(correlator, words(5.3, 1)) == ["Ana"]


def test_a_label_that_is_mostly_heard_without_a_name_does_not_get_it() -> None:
    correlator = with_turns((ANA, 4, 8), (BEN, 20, 24))
    for start_s in range(0, 16, 4):
        correlator.heard(final(words(start_s, 10, "voice:0:e#a")))
    correlator.scan()
    assert correlator.label_names.find("voice:0:e#a") is None


def final(spoken: list[SpokenWord]) -> Segment:
    timed = tuple(TimedWord("word", one.start_ns, one.end_ns, 0.9, one.label) for one in spoken)
    start_ns, end_ns = timed[0].start_ns, timed[-1].end_ns
    return Segment(f"0:{start_ns}", 1, 0, start_ns, end_ns, None, "en", timed)


def test_a_whole_line_between_two_turns_of_another_is_not_theirs() -> None:
    correlator = with_turns((ANA, 0, 4), (ANA, 5.9, 9))
    line = words(4.6, 2)
    correlator.overheard(0, line)
    assert names(correlator, line) == [None, None]


def test_a_stop_that_comes_late_gives_a_turn_back_that_another_one_seemed_to_end() -> None:
    correlator = Correlator()
    for who in (ANA, BEN):
        correlator.meet(who)
    correlator.started("p1", 0)
    correlator.started("p2", 5 * SECOND)
    correlator.stopped("p2", 12 * SECOND)
    assert name_at(correlator, 15, 15.4) is None
    correlator.stopped("p1", 20 * SECOND)
    assert name_at(correlator, 15, 15.4) == "Ana"
    assert name_at(correlator, 7, 7.4) is None


def test_a_second_start_leaves_open_whose_the_lines_before_it_are() -> None:
    correlator = Correlator()
    correlator.meet(ANA)
    first, between, second = words(0, 5), words(4, 5), words(8, 5)
    correlator.started("p1", 0)
    correlator.overheard(0, [*first, *between, *second])
    correlator.started("p1", 8 * SECOND)
    correlator.stopped("p1", 10 * SECOND)
    assert names(correlator, first) == ["Ana"] * 5
    assert names(correlator, between) == [None] * 5
    assert names(correlator, second) == ["Ana"] * 5


def test_the_label_of_a_single_word_among_those_of_another_is_in_doubt() -> None:
    utterances = Utterances()
    utterances.heard([*words(20, 6, "a"), *words(22.4, 1, "b"), *words(23.6, 4, "b")])
    found = utterances.around(int(22.4 * SECOND), int(22.8 * SECOND))
    assert found is not None
    assert (found.start_ns, found.end_ns) == (20 * SECOND, int(22.8 * SECOND))
    assert found.credible("b") is None
    assert found.credible("a") == "a"
    assert found.credible(None) is None


def test_words_heard_anew_take_the_place_of_the_old() -> None:
    utterances = Utterances()
    utterances.heard(words(0, 10, "a"))
    utterances.heard(words(2, 5, "b"))
    found = utterances.around(2 * SECOND, int(2.4 * SECOND))
    assert found is not None
    assert found.labels == {"a": 5 * 400_000_000, "b": 5 * 400_000_000}


def test_the_words_in_memory_are_bounded() -> None:
    utterances = Utterances()
    for n in range(0, 2 * MAX_WORDS, 10):
        utterances.heard(words(n, 1))
    many = words(100_000, 2 * MAX_WORDS)
    for n in range(0, len(many), 100):
        utterances.heard(many[n : n + 100])
    assert utterances.around(0, 400_000_000) is None
    assert utterances.around(many[-1].start_ns, many[-1].end_ns) is not None
