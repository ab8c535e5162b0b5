"""A stream's clock against simulated networks, whose truth is known."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.timing.stream_clock import MAX_ENTRIES, ChangeKind, ClockEstimate, StreamClock
from tests.unit.timing.simulation import (
    ACCIDENT_AT_S,
    ACCIDENTS,
    CLEAN,
    KINDS,
    SAMPLE_RATE,
    T0_NS,
    Accident,
    simulate,
)

PPM = (-200.0, -50.0, 50.0, 200.0)
SEEDS = range(3)


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda accident: accident.name)
def test_after_five_minutes_rate_and_offset_are_known_and_what_stepped_is_told(
    accident: Accident,
) -> None:
    outcomes = [simulate(seed, ppm, accident) for ppm in PPM for seed in SEEDS]

    in_order = -(-95 * len(outcomes) // 100) - 1
    assert sorted(one.rate_error_ppm for one in outcomes)[in_order] <= 1.0
    assert sorted(one.offset_error_ms for one in outcomes)[in_order] <= 2.0
    assert all(one.rate_error_ppm <= one.rate_bound_ppm for one in outcomes)
    assert all(one.offset_error_ms <= one.offset_bound_ms for one in outcomes)
    if accident is CLEAN:
        assert [one.changes for one in outcomes] == [[]] * len(outcomes)
    else:
        assert {tuple(c.kind for c in one.changes) for one in outcomes} == {(KINDS[accident.name],)}


def test_a_change_says_when_it_was_and_by_how_much() -> None:
    (change,) = simulate(1, 50.0, Accident("gap", lost_s=0.250)).changes

    assert abs(change.step_ns - 250_000_000) < 3_000_000
    assert 0 <= change.at_sample - ACCIDENT_AT_S * SAMPLE_RATE <= 10 * SAMPLE_RATE


def test_without_stamps_a_step_is_corrected_but_not_explained() -> None:
    outcome = simulate(2, -50.0, Accident("either", lost_s=0.100), stamps=False)

    assert [change.kind for change in outcome.changes] == [ChangeKind.UNEXPLAINED]
    assert outcome.offset_error_ms <= 2.0


@pytest.mark.parametrize("path_s", [0.010, 0.005, -0.008])
@pytest.mark.parametrize("ppm", PPM)
def test_the_rate_is_not_taken_across_a_small_step_which_is_too_small_to_be_told(
    ppm: float, path_s: float
) -> None:
    outcome = simulate(5, ppm, Accident("small", path_s=path_s))

    assert outcome.changes == []
    assert outcome.rate_error_ppm <= min(1.0, outcome.rate_bound_ppm)
    assert outcome.offset_error_ms <= min(2.0, outcome.offset_bound_ms)


def test_small_steps_back_and_forth_are_levels_and_none_is_told() -> None:
    clock = StreamClock(SAMPLE_RATE)
    for second in range(1, 600):
        late_ns = 6_000_000 * (second // 60 % 2)
        received_ns = T0_NS + second * 1_000_080_000 + late_ns
        assert clock.arrived(second * SAMPLE_RATE, received_ns) is None

    assert clock.estimate is not None
    assert clock.estimate.rate_ppm == pytest.approx(80.0, abs=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_busy_minute_does_not_turn_the_rate(seed: int) -> None:
    """Frames of 80 s take 4 to 40 ms more, and no one time the same."""
    clock = StreamClock(SAMPLE_RATE)
    rng = random.Random(seed)
    for frame in range(1, 3000):
        delay_ns = round(rng.expovariate(1 / 3e6))
        if 1800 <= frame < 2600:
            delay_ns += round(rng.triangular(4e6, 40e6, 30e6))
        clock.arrived(frame * SAMPLE_RATE // 10, T0_NS + frame * 100_005_000 + delay_ns)

    assert clock.estimate is not None
    assert clock.estimate.rate_ppm == pytest.approx(50.0, abs=0.5)


def test_another_device_of_100_ppm_is_followed_by_the_offset_first_and_then_by_the_rate() -> None:
    clock = StreamClock(SAMPLE_RATE)
    ahead_ns = 0
    for second in range(1, 900):
        ahead_ns += 0 if second < 300 else 100_000
        received_ns = T0_NS + second * 1_000_000_000 + ahead_ns
        assert clock.arrived(second * SAMPLE_RATE, received_ns) is None
        if second > 300:
            assert clock.estimate is not None
            told_ns = clock.estimate.received_ns(second * SAMPLE_RATE, SAMPLE_RATE)
            assert abs(told_ns - received_ns) <= 13_000_000

    assert clock.estimate is not None
    assert clock.estimate.rate_ppm == pytest.approx(100.0, abs=0.1)


def test_a_noisy_path_makes_no_levels_of_its_noise() -> None:
    """Minima that scatter by 6 ms: what stands out of them is not three in a row."""
    clock = StreamClock(SAMPLE_RATE)
    rng = random.Random(1)
    for second in range(1, 600):
        delay_ns = rng.randrange(60_000_000)
        received_ns = T0_NS + second * 1_000_050_000 + delay_ns
        assert clock.arrived(second * SAMPLE_RATE, received_ns) is None

    assert clock.estimate is not None
    assert abs(clock.estimate.rate_ppm - 50.0) <= clock.estimate.rate_error_ppm


def test_two_late_entries_are_spikes_and_three_are_a_step() -> None:
    def play(late_bins: int) -> int:
        clock = StreamClock(SAMPLE_RATE)
        changes = 0
        for second in range(1, 200):
            late = 50_000_000 * (100 <= second < 100 + 5 * late_bins)
            received_ns = T0_NS + second * 1_000_000_000 + late
            changes += clock.arrived(second * SAMPLE_RATE, received_ns) is not None
        return changes

    assert play(2) == 0
    assert play(4) == 2, "away and back"


def test_nothing_is_estimated_before_a_level_is_known() -> None:
    clock = StreamClock(SAMPLE_RATE)
    for second in range(1, 15):
        clock.arrived(second * SAMPLE_RATE, T0_NS + second * 1_000_000_000)
    assert clock.estimate is None

    clock.arrived(15 * SAMPLE_RATE, T0_NS + 15_000_000_000)

    assert clock.estimate is not None
    assert (clock.estimate.rate_ppm, clock.estimate.offset_ns) == (0.0, T0_NS)
    assert clock.estimate.rate_error_ppm == 300.0, "too short a time to tell a rate by"


def test_a_reconnect_begins_a_level_of_its_own_and_is_no_change() -> None:
    clock = StreamClock(SAMPLE_RATE)
    for second in range(1, 400):
        if second == 200:
            clock.reconnected()
        delay_ns = 0 if second < 200 else 500_000_000
        received_ns = T0_NS + second * 1_000_050_000 + delay_ns
        assert clock.arrived(second * SAMPLE_RATE, received_ns) is None

    assert clock.estimate is not None
    assert clock.estimate.rate_ppm == pytest.approx(50.0, abs=0.01)
    assert clock.estimate.offset_ns - T0_NS == pytest.approx(500_000_000, abs=10_000)


def test_a_broken_clock_is_not_followed_beyond_300_ppm() -> None:
    clock = StreamClock(SAMPLE_RATE)
    for second in range(1, 200):
        clock.arrived(second * SAMPLE_RATE, T0_NS + second * 1_000_500_000)
    assert clock.estimate is not None
    assert clock.estimate.rate_ppm == 300.0


def test_an_hour_of_meeting_holds_no_more_entries_than_stated() -> None:
    clock = StreamClock(SAMPLE_RATE)
    simulate(3, 50.0, ACCIDENTS[1], duration_s=3600.0, clock=clock)
    assert len(clock) <= MAX_ENTRIES


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 2**62), st.booleans()),
        max_size=60,
    )
)
def test_whatever_arrives_the_estimate_stays_within_its_clamp(
    events: list[tuple[int, int, bool]],
) -> None:
    clock = StreamClock(48_000)
    for sample, at_ns, is_stamp in events:
        if is_stamp:
            clock.stamped(sample, at_ns // 1_000_000)
        else:
            clock.arrived(sample, at_ns)
        estimate = clock.estimate
        assert estimate is None or abs(estimate.rate_ppm) <= 300.0
        assert len(clock) <= MAX_ENTRIES


def test_received_times_of_an_estimate_do_not_decrease() -> None:
    estimate = ClockEstimate(-300.0, 0.1, T0_NS, 1)
    times = [estimate.received_ns(sample, SAMPLE_RATE) for sample in range(0, 10**6, 997)]
    assert all(before <= after for before, after in pairwise(times))
