"""How late a platform says who speaks, found from when anybody is heard."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.speakers.event_lag import WINDOW_FRAMES, EventLag
from tests.unit.speakers.meeting_simulator import NAMED_AFTER_S, SECOND, Platform, hold

TURNS_S = [(1, 5), (6, 13), (14, 16), (18, 25), (26, 27), (29, 38), (39, 44), (46, 60)]


def lag_s_of(turns_s: list[tuple[int, int]], delay_s: float) -> float:
    lag = EventLag()
    for start_s, end_s in turns_s:
        lag.heard(start_s * SECOND, end_s * SECOND)
    lag.scan(
        (int((start_s + delay_s) * SECOND), int((end_s + delay_s) * SECOND))
        for start_s, end_s in turns_s
    )
    return lag.lag_ns / SECOND


@given(st.integers(-10, 35))
def test_a_constant_delay_is_found_exactly(tenths: int) -> None:
    assert lag_s_of(TURNS_S, tenths / 10) == pytest.approx(tenths / 10, abs=0.11)


@pytest.mark.parametrize("turns_s", [[], TURNS_S[:3], [(0, 60)], [(0, 30), (31, 60)]])
def test_little_evidence_leaves_the_lag_at_zero(turns_s: list[tuple[int, int]]) -> None:
    assert lag_s_of(turns_s, 2) == 0


def test_events_that_never_pause_tell_no_lag() -> None:
    lag = EventLag()
    for start_s, end_s in TURNS_S:
        lag.heard(start_s * SECOND, end_s * SECOND)
    lag.scan([(0, None)] * 8)
    assert lag.lag_ns == 0


def test_words_that_begin_early_make_the_platform_no_later() -> None:
    lag = EventLag()
    for start_s, end_s in TURNS_S:
        lag.heard(start_s * SECOND - 3 * SECOND // 10, end_s * SECOND)
    lag.scan(((start_s + 1) * SECOND, (end_s + 1) * SECOND) for start_s, end_s in TURNS_S)
    assert lag.lag_ns == SECOND


def test_it_remembers_ten_minutes_however_long_the_meeting_is() -> None:
    lag = EventLag()
    for start_s in range(0, 4 * 3600, 10):
        lag.heard(start_s * SECOND, (start_s + 8) * SECOND)
    assert lag._heard.bit_length() <= WINDOW_FRAMES


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1_000), st.floats(0, 2), st.floats(0, 0.3))
def test_late_and_jittered_events_name_words_as_prompt_ones_do(
    seed: int, delay_s: float, jitter_s: float
) -> None:
    platform = Platform(delay_s, jitter_s)
    named, transcript = hold(random.Random(seed), platform, minutes=5, named_from_s=60)
    assert transcript.correlator.lag_ns / SECOND == pytest.approx(delay_s, abs=0.35)
    assert delay_s < NAMED_AFTER_S
    assert named.share(named.wrong) <= 0.01
    assert named.share(named.right) >= 0.95
