"""A bot's frames as they reach the service: a wrong sample clock, a network, and accidents.

The truth is known, so that an estimate's error is exact.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestration.timing.stream_clock import ChangeKind, ClockChange, StreamClock

SAMPLE_RATE = 16_000
FRAME_S = 0.1
STAMP_EVERY = 50
T0_NS = 1_700_000_000_000_000_000
BASE_DELAY_S = 0.030
ACCIDENT_AT_S = 152.3


@dataclass(frozen=True, slots=True)
class Accident:
    """What steps in the middle of a simulation, in seconds."""

    name: str
    path_s: float = 0.0
    lost_s: float = 0.0
    """Capture that never became samples; negative for samples that came twice."""
    sender_clock_s: float = 0.0


CLEAN = Accident("spikes and stalls only")
ACCIDENTS = (
    CLEAN,
    Accident("path +40 ms", path_s=0.040),
    Accident("path -25 ms", path_s=-0.025),
    Accident("100 ms lost", lost_s=0.100),
    Accident("100 ms twice", lost_s=-0.100),
    Accident("sender's clock +2 s", sender_clock_s=2.0),
)
KINDS = {
    "path +40 ms": ChangeKind.PATH_CHANGE,
    "path -25 ms": ChangeKind.PATH_CHANGE,
    "100 ms lost": ChangeKind.CAPTURE_GAP,
    "100 ms twice": ChangeKind.DUPLICATED_CAPTURE,
    "sender's clock +2 s": ChangeKind.CLOCK_JUMP,
}
"""What each accident is to be told as."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One frame of 100 ms that ends at `sample`, in seconds of true time."""

    sample: int
    captured_s: float
    least_s: float
    """When it would be there by the path alone."""
    delivered_s: float
    stamp_s: float | None
    """The sender's wall clock at the capture, with every 50th frame."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The errors at the end, their stated bounds, and the changes told."""

    rate_error_ppm: float
    rate_bound_ppm: float
    offset_error_ms: float
    offset_bound_ms: float
    changes: list[ClockChange]


def deliveries(
    seed: int, ppm: float, accident: Accident = CLEAN, duration_s: float = 300.0
) -> Iterator[Delivery]:
    """The frames of a stream whose sample clock is slow by `ppm`, over a simulated network.

    Every frame takes 30 ms and an exponential rest of 3 ms; one in fifty is late by up to 200 ms;
    every 10 s or so the connection stalls for 0.2 to 0.6 s. TCP delivers in order, so that a late
    frame holds up all behind it.
    """
    rng = random.Random(seed)
    delivered_s = stalled_until_s = 0.0
    for frame in range(1, round(duration_s / FRAME_S) + 1):
        nominal_s = frame * FRAME_S
        stepped = nominal_s > ACCIDENT_AT_S
        captured_s = nominal_s * (1 + ppm / 1e6) + accident.lost_s * stepped
        least_s = captured_s + BASE_DELAY_S + accident.path_s * stepped
        delay_s = rng.expovariate(1 / 0.003)
        if rng.random() < 0.02:
            delay_s += rng.uniform(0.02, 0.2)
        if rng.random() < FRAME_S / 10:
            stalled_until_s = captured_s + rng.uniform(0.2, 0.6)
        delivered_s = max(delivered_s, least_s + delay_s, stalled_until_s)
        yield Delivery(
            round(nominal_s * SAMPLE_RATE),
            captured_s,
            least_s,
            delivered_s,
            captured_s + accident.sender_clock_s * stepped if frame % STAMP_EVERY == 1 else None,
        )


def simulate(
    seed: int,
    ppm: float,
    accident: Accident = CLEAN,
    duration_s: float = 300.0,
    *,
    stamps: bool = True,
    clock: StreamClock | None = None,
) -> Outcome:
    """Play a stream, and compare the estimate with the truth."""
    clock = StreamClock(SAMPLE_RATE) if clock is None else clock
    changes = []
    for one in deliveries(seed, ppm, accident, duration_s):
        changes.append(clock.arrived(one.sample, T0_NS + round(one.delivered_s * 1e9)))
        if stamps and one.stamp_s is not None:
            unix_ms = T0_NS // 1_000_000 + round(one.stamp_s * 1000)
            changes.append(clock.stamped(one.sample, unix_ms))
    return outcome_of(clock, ppm, one, changes)


def outcome_of(
    clock: StreamClock, ppm: float, last: Delivery, changes: Sequence[ClockChange | None]
) -> Outcome:
    """The estimate after a stream's last frame, compared with the truth."""
    estimate = clock.estimate
    assert estimate is not None
    true_ns = T0_NS + round(last.least_s * 1e9)
    return Outcome(
        rate_error_ppm=abs(estimate.rate_ppm - ppm),
        rate_bound_ppm=estimate.rate_error_ppm,
        offset_error_ms=abs(estimate.received_ns(last.sample, SAMPLE_RATE) - true_ns) / 1e6,
        offset_bound_ms=estimate.offset_error_ns / 1e6,
        changes=[change for change in changes if change is not None],
    )
