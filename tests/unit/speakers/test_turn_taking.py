"""Whose turn it is, from starts and stops of which some are late, lost or false."""

import random
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.speakers.correlator import MIN_LIKELIHOOD, Correlator
from orchestration.speakers.heard_words import SpokenWord
from orchestration.speakers.speaking_events import SpeakingEvents
from orchestration.speakers.turn_taking import UNKNOWN, turn_takers
from orchestration.speakers.turn_units import turn_units
from orchestration.speakers.unit_voices import Voice
from orchestration.transcript.segments import Segment, TimedWord
from tests.unit.speakers.test_speaking_events import ANA, BEN, SECOND, with_turns

CARLA = "p3"
Said = tuple[str, float | None, float | None]
"""Who, and when the platform says that they start and stop; None where it does not."""


def words(start_s: float, count: int, label: str | None = None) -> list[SpokenWord]:
    """Words of 0.4 s, one after the other; the last one ends a sentence."""
    starts_ns = [int((start_s + 0.4 * n) * SECOND) for n in range(count)]
    last_ns = starts_ns[-1]
    return [SpokenWord(at, at + 400_000_000, label, at == last_ns) for at in starts_ns]


def takers(
    spoken: list[SpokenWord], *said: Said, people: tuple[str, ...] = ("p1", "p2", CARLA)
) -> list[str | None]:
    """Who has the turns one after the other, None where nobody is likely."""
    record = SpeakingEvents()
    for who, start_s, stop_s in said:
        if start_s is not None:
            record.say(who, int(start_s * SECOND), is_start=True)
        if stop_s is not None:
            record.say(who, int(stop_s * SECOND), is_start=False)
    events, spans = record.between(0, 1000 * SECOND, 0)
    units = turn_units(spoken, (one.at_ns for one in events), lambda _label, _at_ns: None)
    found: list[str | None] = []
    for likelihoods in turn_takers(units, events, spans, people):
        assert sum(likelihoods.values()) == pytest.approx(1)
        who = max(likelihoods, key=lambda one: likelihoods[one])
        found.append(who if likelihoods[who] >= MIN_LIKELIHOOD and who != UNKNOWN else None)
    return [who for who, _ in groupby(found)]


ALTERNATING = [*words(0, 5), *words(2.5, 10), *words(7, 5)]


def test_turns_pass_where_the_platform_says() -> None:
    assert takers(ALTERNATING, ("p1", 0, 2), ("p2", 2.5, 6.5), ("p1", 7, 9)) == ["p1", "p2", "p1"]


def test_a_lost_stop_does_not_hold_a_turn_open() -> None:
    assert takers(ALTERNATING, ("p1", 0, None), ("p2", 2.5, 6.5), ("p1", 7, 9)) == [
        "p1",
        "p2",
        "p1",
    ]


def test_a_lost_start_is_where_a_sentence_begins() -> None:
    assert takers(ALTERNATING, ("p1", 0, 2), ("p2", None, 6.5), ("p1", 7, 9)) == ["p1", "p2", "p1"]


def test_a_lost_stop_and_the_lost_start_after_it_give_nobody_the_other_s_words() -> None:
    assert takers(ALTERNATING, ("p1", 0, None), ("p2", None, 6.5), (CARLA, 7, 9)) == [
        None,
        "p2",
        CARLA,
    ]


def test_a_turn_of_which_nothing_is_said_is_nobody_s_among_several() -> None:
    assert takers(ALTERNATING, ("p1", 0, 2), ("p1", 7, 9)) == ["p1", None, "p1"]


def test_in_a_meeting_of_two_the_other_one_may_be_somebody_unknown() -> None:
    said: list[Said] = [("p1", 0, 2), ("p1", 7, 9)]
    assert takers(ALTERNATING, *said, people=("p1", "p2")) == ["p1", None, "p1"]


def test_somebody_who_is_said_to_speak_goes_on_after_a_long_silence() -> None:
    assert takers([*words(0, 5), *words(6, 5), *words(12, 5)], ("p1", 0, None)) == ["p1"]


def test_an_interjection_does_not_take_the_words_that_go_on() -> None:
    assert takers(words(0, 20), ("p1", 0, 8), ("p2", 3, 3.6)) == ["p1"]


def test_an_interjection_that_was_written_down_is_not_the_turn_s_it_is_in() -> None:
    found = takers([*words(0, 5), *words(2.3, 1), *words(3, 10)], ("p1", 0, 7), ("p2", 2.3, 2.7))
    assert (found[0], found[-1]) == ("p1", "p1")
    assert found[1] != "p1"


def test_a_false_start_and_stop_name_nobody() -> None:
    assert takers(words(0, 20), ("p1", 0, 8), ("p2", 2, 3.2)) == ["p1"]


def test_two_who_both_go_on_leave_open_whose_a_sentence_is() -> None:
    said: list[Said] = [("p1", 0, 4.4), ("p2", 2.3, 6.6)]
    assert takers([*words(0, 5), *words(2.3, 5), *words(4.6, 5)], *said) == ["p1", None, "p2"]


def test_a_lost_stop_leaves_words_to_the_turn_in_which_somebody_else_interrupted() -> None:
    spoken = [*words(0, 10), *words(4.3, 2), *words(5.4, 10), *words(9.8, 8)]
    said: list[Said] = [("p1", 0, None), ("p2", 4.3, 5.1), (CARLA, 9.8, 13)]
    found = takers(spoken, *said)
    assert found[0] == "p1"
    assert found[-2:] == ["p1", CARLA]


def test_words_that_are_not_remembered_are_whose_turn_they_are_in() -> None:
    correlator = with_turns((ANA, 0, 20))
    correlator.meet(BEN)
    speaker = correlator.speaker_of(7, 5 * SECOND, 6 * SECOND)
    assert speaker is not None
    assert speaker.name == "Ana"


def test_a_label_that_is_mostly_heard_without_a_name_does_not_get_it() -> None:
    correlator = with_turns((ANA, 4, 8), (BEN, 20, 24))
    for start_s in range(0, 16, 4):
        correlator.heard(final(words(start_s, 10, "voice:0:e#a")))
    correlator.scan()
    assert correlator.label_names.find("voice:0:e#a") is None


def test_later_words_may_change_whose_the_words_before_them_are() -> None:
    correlator = with_turns((ANA, 0, 2))
    correlator.heard(final(words(0, 5)))
    assert correlator.take_dirty() is not None
    correlator.overheard(0, words(2.5, 3))
    dirty = correlator.take_dirty()
    assert dirty is not None
    assert dirty.from_ns <= 0


def test_words_heard_twice_are_no_news() -> None:
    correlator = with_turns((ANA, 0, 2))
    correlator.overheard(0, words(0, 5))
    correlator.take_dirty()
    correlator.overheard(0, words(0, 5))
    assert correlator.take_dirty() is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["p1", "p2", CARLA, "stranger"]),
            st.integers(-5_000, 60_000),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000), st.booleans()), max_size=40),
)
def test_whatever_is_said_of_whatever_is_heard_each_unit_has_likelihoods(
    said: list[tuple[str, int, bool]], heard: list[tuple[int, int, bool]]
) -> None:
    record = SpeakingEvents()
    for who, at_ms, is_start in said:
        record.say(who, at_ms * 1_000_000, is_start=is_start)
    spoken, at_ms = [], 0
    for pause_ms, length_ms, ends_sentence in heard:
        start_ns = (at_ms := at_ms + pause_ms) * 1_000_000
        spoken.append(SpokenWord(start_ns, start_ns + length_ms * 1_000_000, None, ends_sentence))
    events, spans = record.between(0, 200 * SECOND, 0)
    units = turn_units(spoken, (one.at_ns for one in events), lambda _label, _at_ns: None)
    found = turn_takers(units, events, spans, ["p1", "p2", CARLA])
    assert len(found) == len(units)
    for likelihoods in found:
        assert set(likelihoods) == {"p1", "p2", CARLA, UNKNOWN}
        assert sum(likelihoods.values()) == pytest.approx(1)
        assert all(one >= 0 for one in likelihoods.values())


def test_an_hour_s_meeting_in_one_piece_stays_a_number() -> None:
    chance = random.Random(1)
    record = SpeakingEvents()
    spoken: list[SpokenWord] = []
    for turn in range(600):
        who = chance.choice(["p1", "p2"])
        record.say(who, turn * 6 * SECOND, is_start=True)
        record.say(who, (turn * 6 + 5) * SECOND, is_start=False)
        spoken += words(turn * 6, 12)
    events, spans = record.between(0, 4000 * SECOND, 0)
    units = turn_units(spoken, (one.at_ns for one in events), lambda _label, _at_ns: None)
    found = turn_takers(units, events, spans, ["p1", "p2"])
    assert min(sum(one.values()) for one in found) == pytest.approx(1)


def final(spoken: list[SpokenWord]) -> Segment:
    timed = tuple(TimedWord("word", one.start_ns, one.end_ns, 0.9, one.label) for one in spoken)
    start_ns, end_ns = timed[0].start_ns, timed[-1].end_ns
    return Segment(f"0:{start_ns}", 1, 0, start_ns, end_ns, None, "en", timed)


def test_words_in_a_long_overlap_are_nobody_s_and_those_after_it_of_who_goes_on() -> None:
    said = ("p1", 1, 6), ("p2", 2.2, None)
    assert takers(words(1, 60), *said) == ["p1", None, "p2"]


def test_two_who_still_speak_at_once_share_their_words_before_either_has_stopped() -> None:
    spoken = words(2, 9, "a")
    record = SpeakingEvents()
    record.say("p1", SECOND, is_start=True)
    record.say("p2", 32 * SECOND // 10, is_start=True)
    events, spans = record.between(0, 100 * SECOND, 0)
    units = turn_units(spoken, (one.at_ns for one in events), lambda *_: Voice("p1", 3.0, 3.0))
    first, second = turn_takers(units, events, spans, ["p1", "p2", CARLA])
    assert first["p1"] > MIN_LIKELIHOOD
    assert max(second.values()) < MIN_LIKELIHOOD
    assert second["p1"] + second["p2"] > MIN_LIKELIHOOD


def test_a_correlator_of_nobody_names_nobody() -> None:
    correlator = Correlator()
    correlator.overheard(0, words(0, 5))
    assert correlator.speaker_of(0, 0, SECOND) is None
