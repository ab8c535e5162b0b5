"""What is read once of the turns, and when it is read anew."""

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.correlator import Correlator
from orchestration.speakers.heard_words import SpokenWord
from orchestration.speakers.turn_reader import MAX_READINGS, WINDOW_NS
from tests.unit.speakers.test_speaking_events import ANA, BEN, SECOND, name_at, spoken, with_turns

CARLA = ParticipantRef("p3", "Carla")
MS = 1_000_000
Saying = tuple[str, int, bool]
"""Who, when in ms, and whether it is a start."""

sayings = st.lists(
    st.tuples(st.sampled_from(["p1", "p2", "p3"]), st.integers(0, 90_000), st.booleans()),
    max_size=40,
)
pauses_and_lengths = st.lists(
    st.tuples(st.integers(0, 2_000), st.integers(0, 800)), min_size=1, max_size=80
)


def words_of(pauses_and_lengths_ms: list[tuple[int, int]]) -> list[SpokenWord]:
    words, at_ms = [], 0
    for pause_ms, length_ms in pauses_and_lengths_ms:
        start_ms = at_ms + pause_ms
        at_ms = start_ms + length_ms
        words.append(SpokenWord(start_ms * MS, at_ms * MS, None, pause_ms > 1_000))
    return words


def meeting(said: list[Saying], heard: Sequence[SpokenWord]) -> Correlator:
    correlator = Correlator()
    for who in (ANA, BEN, CARLA):
        correlator.meet(who)
    for participant_id, at_ms, is_start in said:
        say = correlator.started if is_start else correlator.stopped
        say(participant_id, at_ms * MS)
    correlator.overheard(0, heard)
    return correlator


def names(correlator: Correlator, words: Sequence[SpokenWord]) -> dict[int, str | None]:
    found = {one.start_ns: correlator.speaker_of(0, one.start_ns, one.end_ns) for one in words}
    return {at_ns: None if one is None else one.speaker_id for at_ns, one in found.items()}


@settings(deadline=None)
@given(sayings, pauses_and_lengths, st.randoms(use_true_random=False))
def test_a_name_does_not_depend_on_the_words_that_were_asked_for_before(
    said: list[Saying], heard: list[tuple[int, int]], chance: random.Random
) -> None:
    words = words_of(heard)
    shuffled = list(words)
    chance.shuffle(shuffled)
    assert names(meeting(said, words), words) == names(meeting(said, words), shuffled)


@settings(deadline=None)
@given(sayings, pauses_and_lengths, st.integers(0, 40), st.integers(0, 80))
def test_names_that_were_read_before_are_those_that_a_fresh_reading_gives(
    said: list[Saying], heard: list[tuple[int, int]], later_events: int, later_words: int
) -> None:
    words = words_of(heard)
    live = meeting(said[later_events:], words[later_words:])
    names(live, words[later_words:])
    for participant_id, at_ms, is_start in said[:later_events]:
        say = live.started if is_start else live.stopped
        say(participant_id, at_ms * MS)
    names(live, words[later_words:])
    live.overheard(0, words[:later_words])
    assert names(live, words) == names(meeting(said, words), words)


@settings(deadline=None)
@given(sayings, pauses_and_lengths, st.randoms(use_true_random=False))
def test_words_that_come_out_of_order_have_the_names_of_those_in_order(
    said: list[Saying], heard: list[tuple[int, int]], chance: random.Random
) -> None:
    words = words_of([(pause_ms, length_ms + 1) for pause_ms, length_ms in heard])
    shuffled = list(words)
    chance.shuffle(shuffled)
    assert names(meeting(said, shuffled), words) == names(meeting(said, words), words)


def test_events_ahead_of_all_words_leave_their_names() -> None:
    correlator = with_turns((ANA, 0, 4))
    correlator.take_dirty()
    correlator.started("p1", 30 * SECOND)
    correlator.stopped("p1", 33 * SECOND)
    assert correlator.take_dirty() is None
    assert name_at(correlator, 31, 31.4) == "Ana"


def test_an_event_that_comes_late_may_change_names() -> None:
    correlator = with_turns((ANA, 0, 4))
    correlator.take_dirty()
    correlator.stopped("p1", 2 * SECOND)
    assert correlator.take_dirty() is not None


def test_what_was_read_is_bounded() -> None:
    correlator = with_turns((ANA, 0, 4))
    for start_s in range(0, 600, 5):
        correlator.overheard(0, spoken(start_s, start_s + 4))
    for at_ns in range(0, 30 * WINDOW_NS, 5 * SECOND):
        correlator.speaker_of(0, at_ns, at_ns + SECOND)
    assert len(correlator._turns._readings) <= MAX_READINGS
