"""The simulated platform: off by what its condition says, and by no more."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.session.inputs import SampleMoment, SpeakerFact
from tests.score.known_meetings import KnownMeeting, Person, Turn
from tests.score.platform import FLICKER_S, Condition, facts, stretches

RATE = 1000
ANA, BEN = Person("p1", "Ana"), Person("p2", "Ben", joined=20 * RATE)


def meeting(*turns: tuple[Person, float, float]) -> KnownMeeting:
    spoken = [Turn(who, int(start * RATE), int(end * RATE), "words") for who, start, end in turns]
    return KnownMeeting("small", RATE, np.zeros(60 * RATE, np.int16), [ANA, BEN], spoken)


LONG = meeting(
    *((ANA, n, n + 1) for n in range(0, 20, 2)), *((BEN, n, n + 1) for n in range(21, 60, 4))
)


def said_of(known: KnownMeeting, condition: Condition, seed: int = 0) -> list[SpeakerFact]:
    said = facts(known, condition, random.Random(seed))
    return [one.fact for one in said if isinstance(one.fact, SpeakerFact)]


def sample_of(fact: SpeakerFact) -> int:
    assert isinstance(fact.at, SampleMoment)
    return fact.at.sample


def test_a_delay_moves_every_event_alike() -> None:
    prompt = said_of(LONG, Condition("prompt"))
    late = said_of(LONG, Condition("late", delay_s=1.5))
    assert [sample_of(one) - 1500 for one in late] == [sample_of(one) for one in prompt]


def test_an_indicator_stays_on_through_a_short_pause() -> None:
    known = meeting((ANA, 1, 3), (ANA, 3.5, 5), (ANA, 7, 8))
    spans = stretches(known, Condition("prompt"), random.Random(0))
    assert spans[ANA] == [(1000, 5000), (7000, 8000)]


@given(st.integers(0, 1000))
def test_exactly_the_share_that_is_said_is_missing(seed: int) -> None:
    spans = stretches(LONG, Condition("some", missing=0.1), random.Random(seed))
    assert sum(len(one) for one in spans.values()) == 18


@given(st.integers(0, 1000))
def test_single_starts_and_stops_get_lost_and_the_others_are_as_before(seed: int) -> None:
    whole = said_of(LONG, Condition("whole"))
    left = said_of(LONG, Condition("some", lost=0.3), seed)
    assert len(left) < len(whole)
    told = [(one.event, one.participant_id, one.at) for one in whole]
    assert all((one.event, one.participant_id, one.at) in told for one in left)


def test_a_flicker_lights_somebody_who_does_not_speak() -> None:
    known = meeting((ANA, 25, 35))
    spans = stretches(known, Condition("some", spurious=1.0), random.Random(0))
    assert spans[ANA] == [(25_000, 35_000)]
    ((start, end),) = spans[BEN]
    assert 25_000 <= start <= 35_000
    assert FLICKER_S[0] * RATE <= end - start <= FLICKER_S[1] * RATE


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(0, 2), st.floats(0, 1))
def test_a_person_s_events_take_turns_and_arrive_when_stamped(
    seed: int, delay_s: float, jitter_s: float
) -> None:
    condition = Condition("some", delay_s, jitter_s, missing=0.1, spurious=0.1)
    said = facts(LONG, condition, random.Random(seed))
    assert [one.fact.fact for one in said] == list(range(len(said)))
    for who in (ANA, BEN):
        own = [
            (one.arrives, one.fact)
            for one in said
            if isinstance(one.fact, SpeakerFact) and one.fact.participant_id == who.participant_id
        ]
        assert all(one.event != other.event for (_, one), (_, other) in pairwise(own))
        assert all(arrives == sample_of(fact) for arrives, fact in own)


@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_shown_before_they_have_joined(seed: int) -> None:
    spans = stretches(LONG, Condition("some", spurious=0.5), random.Random(seed))
    assert all(start >= BEN.joined for start, _ in spans[BEN])
