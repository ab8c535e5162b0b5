import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.services.balancing.limits import (
    CALIBRATE_EVERY_MS,
    CALIBRATION_ANSWERS,
    AdaptiveLimit,
    LimitBounds,
)

IDLE_MS = 500


def answer_at_limit(limit: AdaptiveLimit, at_once: int, now_ms: int) -> None:
    """An answer of an upstream that serves `at_once` and queues the rest."""
    under_way = limit.value
    limit.answered(IDLE_MS * max(under_way, at_once) // at_once, under_way, now_ms)


def calibrated(bounds: LimitBounds) -> AdaptiveLimit:
    limit = AdaptiveLimit(bounds)
    for _ in range(CALIBRATION_ANSWERS):
        limit.answered(IDLE_MS, 1, 0)
    return limit


@pytest.mark.parametrize("at_once", [3, 4, 8, 16])
@pytest.mark.parametrize("initial", [2, 16, 64])
def test_the_limit_converges_from_anywhere_to_what_an_upstream_serves_at_once(
    at_once: int, initial: int
) -> None:
    limit = calibrated(LimitBounds(initial=initial))
    for now_ms in range(2000):
        answer_at_limit(limit, at_once, now_ms)
    assert at_once <= limit.value <= 2 * at_once + 4


def test_a_limit_that_nobody_comes_near_does_not_grow() -> None:
    limit = calibrated(LimitBounds(initial=16))
    for _ in range(500):
        limit.answered(IDLE_MS, 4, 1)
    assert limit.value == 16


def test_failures_lower_the_limit_and_answers_raise_it_again() -> None:
    limit = calibrated(LimitBounds(initial=16))
    for _ in range(100):
        limit.failed()
    assert limit.value == 2
    for now_ms in range(500):
        answer_at_limit(limit, 16, now_ms)
    assert limit.value >= 16


def test_an_upstream_that_got_faster_or_slower_for_good_is_measured_again() -> None:
    limit = calibrated(LimitBounds(initial=16))
    limit.answered(9 * IDLE_MS, limit.value, CALIBRATE_EVERY_MS)
    assert limit.is_calibrating
    for _ in range(CALIBRATION_ANSWERS):
        assert limit.value == 2
        limit.answered(9 * IDLE_MS, 2, CALIBRATE_EVERY_MS)
    assert limit.idle_ms == 9 * IDLE_MS
    assert limit.value == 16


@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.integers(0, 60_000), st.integers(1, 80))), max_size=300
    )
)
def test_the_limit_stays_within_its_bounds_and_lets_somebody_through(
    events: list[tuple[int, int] | None],
) -> None:
    limit = AdaptiveLimit(LimitBounds(1, 50, 7))
    for now_ms, event in enumerate(events):
        if event is None:
            limit.failed()
        else:
            limit.answered(*event, now_ms * 1000)
        assert 1 <= limit.value <= 50
