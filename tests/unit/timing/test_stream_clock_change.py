"""A stream whose samples come to run at another rate, and what only looks like it."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.timing.stream_clock import StreamClock
from orchestration.timing.stream_clock_fit import POOL_POINTS, Pool, quantile
from tests.unit.timing.simulation import CLEAN, SAMPLE_RATE, T0_NS, deliveries

DURATION_S = 700.0
CHANGED_AT_S = 402.0


def play(
    seed: int,
    until_s: float,
    *,
    device_s: Callable[[float], float] = lambda nominal_s: 0.0,
    path_s: Callable[[float], float] = lambda nominal_s: 0.0,
    stamps: bool = True,
) -> StreamClock:
    """A stream of 50 ppm whose device, or path, is later by so much at a nominal time."""
    clock = StreamClock(SAMPLE_RATE)
    received_ns = 0
    for one in deliveries(seed, 50.0, CLEAN, until_s):
        nominal_s = one.sample / SAMPLE_RATE
        at_s = one.delivered_s + device_s(nominal_s) + path_s(nominal_s)
        received_ns = max(received_ns, T0_NS + round(at_s * 1e9))
        clock.arrived(one.sample, received_ns)
        if stamps and one.stamp_s is not None:
            stamp_s = one.stamp_s + device_s(nominal_s)
            clock.stamped(one.sample, T0_NS // 1_000_000 + round(stamp_s * 1000))
    return clock


def rate_ppm(clock: StreamClock) -> float:
    assert clock.estimate is not None
    return clock.estimate.rate_ppm


def other_rate(ppm: float) -> Callable[[float], float]:
    return lambda nominal_s: max(0.0, nominal_s - CHANGED_AT_S) * ppm / 1e6


@pytest.mark.parametrize("ppm", [-150.0, -60.0, 60.0, 150.0])
def test_another_device_whose_stamps_say_the_same_is_believed_within_a_minute(ppm: float) -> None:
    early = play(1, CHANGED_AT_S + 65, device_s=other_rate(ppm))
    late = play(1, CHANGED_AT_S + 180, device_s=other_rate(ppm))

    assert rate_ppm(early) == pytest.approx(50 + ppm, abs=15)
    assert rate_ppm(late) == pytest.approx(50 + ppm, abs=4)
    assert late.estimate is not None
    assert abs(rate_ppm(late) - 50 - ppm) <= late.estimate.rate_error_ppm


def test_another_device_without_stamps_is_believed_when_half_of_the_pool_is_its_own() -> None:
    change = other_rate(60.0)

    assert rate_ppm(play(1, CHANGED_AT_S + 120, device_s=change, stamps=False)) < 80
    assert rate_ppm(play(1, CHANGED_AT_S + 400, device_s=change, stamps=False)) > 105


@pytest.mark.parametrize("most_s", [0.002, 0.004, 0.010])
def test_a_queue_that_grows_for_a_minute_and_drains_is_no_other_rate(most_s: float) -> None:
    def queue_s(nominal_s: float) -> float:
        return most_s * max(0.0, 1 - abs(nominal_s - CHANGED_AT_S) / 60)

    for until_s in (CHANGED_AT_S - 10, CHANGED_AT_S + 60, DURATION_S):
        clock = play(2, until_s, path_s=queue_s)
        assert rate_ppm(clock) == pytest.approx(50, abs=2)


@pytest.mark.parametrize("seed", [1, 4, 6])
@pytest.mark.parametrize(("until_s", "began_s", "over_s"), [(300, 100, 200), (600, 310, 600)])
def test_a_path_that_is_congested_for_long_does_not_turn_the_rate(
    seed: int, until_s: float, began_s: float, over_s: float
) -> None:
    """Its least delay in 5 s is 2 to 9 ms more."""
    rng = random.Random(seed)

    def queue_s(nominal_s: float) -> float:
        return rng.gammavariate(3, 0.0067) if began_s <= nominal_s < over_s else 0.0

    assert rate_ppm(play(seed, until_s, path_s=queue_s)) == pytest.approx(50, abs=1)


def test_a_senders_clock_that_is_slewed_is_no_other_rate() -> None:
    """Its stamps drift by 100 ppm for two minutes, and arrivals do not."""
    clock = StreamClock(SAMPLE_RATE)
    rng = random.Random(3)
    for second in range(1, 500):
        at_ns = T0_NS + second * 1_000_050_000
        clock.arrived(second * SAMPLE_RATE, at_ns + round(rng.expovariate(1 / 3e5)))
        slewed_ns = 100_000 * min(120, max(0, second - 300))
        clock.stamped(second * SAMPLE_RATE, (at_ns + slewed_ns) // 1_000_000)

    assert rate_ppm(clock) == pytest.approx(50, abs=0.5)
    assert len(clock) > 200, "nothing is forgotten"


def test_a_clock_without_noise_forgets_nothing_for_a_rate_that_wanders_by_1_ppm() -> None:
    clock = StreamClock(SAMPLE_RATE)
    ahead_ns = 0
    for second in range(1, 600):
        ahead_ns += 50_000 + 1_000 * (second > 300)
        at_ns = T0_NS + second * 1_000_000_000 + ahead_ns
        clock.arrived(second * SAMPLE_RATE, at_ns)
        clock.stamped(second * SAMPLE_RATE, at_ns // 1_000_000)

    assert len(clock) > 250


def test_a_pool_forgets_what_came_before_a_moment_and_takes_more() -> None:
    pool = Pool()
    for at_ns in range(POOL_POINTS + 7):
        pool.add(0, at_ns, 10 * at_ns)

    pool.forget_before(POOL_POINTS + 4)
    pool.add(1, POOL_POINTS + 7, 0)

    segments, at_ns, ahead_ns = (numbers.tolist() for numbers in pool.points())
    assert segments == [0, 0, 0, 1]
    assert at_ns == [POOL_POINTS + after for after in (4, 5, 6, 7)]
    assert ahead_ns == [*(10 * (POOL_POINTS + after) for after in (4, 5, 6)), 0]


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=50),
    st.floats(0, 1),
)
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    numbers = np.array(values)

    assert quantile(numbers, share) == pytest.approx(
        float(np.quantile(numbers, share)), rel=1e-9, abs=1e-2
    )
