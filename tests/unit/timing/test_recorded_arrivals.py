"""A stream's clock on arrivals that a running service stamped.

`recorded_arrivals.npz` is of one run of tests/benchmarks/bench_clock_websocket.py: for each of its
16 streams, 3000 frames, by how many hundredths of a millisecond the ingress stamped a frame after
the simulated network had delivered it to the benchmark. That is the benchmark's timer, HAProxy, two
busy cores, and the ingress's event loop.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from orchestration.timing.stream_clock import StreamClock
from tests.unit.timing.simulation import (
    ACCIDENTS,
    CLEAN,
    KINDS,
    SAMPLE_RATE,
    T0_NS,
    Accident,
    Outcome,
    deliveries,
    outcome_of,
)

RECORDING = Path(__file__).parent / "recorded_arrivals.npz"
UNIT_NS = 10_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """One stream: what the simulated network did, and how much later each frame was stamped."""

    seed: int
    ppm: float
    accident: Accident
    late_ns: list[int]

    def replay(self) -> Outcome:
        clock = StreamClock(SAMPLE_RATE)
        changes = []
        frames = list(deliveries(self.seed, self.ppm, self.accident, len(self.late_ns) / 10))
        for frame, late_ns in zip(frames, self.late_ns, strict=True):
            received_ns = T0_NS + round(frame.delivered_s * 1e9) + late_ns
            changes.append(clock.arrived(frame.sample, received_ns))
            if frame.stamp_s is not None:
                unix_ms = T0_NS // 1_000_000 + round(frame.stamp_s * 1000)
                changes.append(clock.stamped(frame.sample, unix_ms))
        return outcome_of(clock, self.ppm, frames[-1], changes)


def recorded() -> list[Recorded]:
    with np.load(RECORDING) as arrays:
        late_ns = arrays["late"].astype(np.int64) * UNIT_NS
        return [
            Recorded(int(seed), float(ppm), ACCIDENTS[accident], late.tolist())
            for seed, ppm, accident, late in zip(
                arrays["seed"], arrays["ppm"], arrays["accident"], late_ns, strict=True
            )
        ]


@pytest.fixture(scope="module")
def outcomes() -> list[tuple[Recorded, Outcome]]:
    return [(stream, stream.replay()) for stream in recorded()]


def test_through_a_real_service_rates_are_known_to_1_ppm(
    outcomes: list[tuple[Recorded, Outcome]],
) -> None:
    errors = [outcome.rate_error_ppm for _, outcome in outcomes]

    assert median(errors) <= 0.3
    assert sorted(errors)[-2] <= 1.0
    assert max(errors) <= 1.1, "the worst of 16"
    assert all(one.rate_error_ppm <= one.rate_bound_ppm for _, one in outcomes)


def test_through_a_real_service_offsets_are_known_to_1_ms(
    outcomes: list[tuple[Recorded, Outcome]],
) -> None:
    errors = [outcome.offset_error_ms for _, outcome in outcomes]

    assert max(errors) <= 1.0
    assert all(one.offset_error_ms <= one.offset_bound_ms for _, one in outcomes)


def test_through_a_real_service_each_step_is_told_by_its_name_and_nothing_else(
    outcomes: list[tuple[Recorded, Outcome]],
) -> None:
    for stream, outcome in outcomes:
        kinds = [] if stream.accident is CLEAN else [KINDS[stream.accident.name]]
        assert [change.kind for change in outcome.changes] == kinds
