"""Clocks that are off by more than they may be are named."""

import pytest

from tests.benchmarks import bench_clock
from tests.unit.timing.simulation import ACCIDENTS


def test_a_clock_that_misses_its_bar_is_named_with_what_it_is_off_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench_clock, "ACCIDENTS", ACCIDENTS[:1])
    monkeypatch.setattr(bench_clock, "PPM", (50.0,))
    assert bench_clock.accuracy(range(1)) == []
    monkeypatch.setattr(bench_clock, "MAX_RATE_ERROR_PPM", 0.0)
    (missed,) = bench_clock.accuracy(range(1))
    assert missed.startswith(f"clock, {ACCIDENTS[0].name}, 50 ppm: ")
