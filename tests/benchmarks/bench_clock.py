"""How well a stream's clock is known after 300 s, and what knowing it costs.

    python -m tests.benchmarks clock

Each line is 20 seeds of a simulated network (tests/unit/timing/simulation.py) at one rate.
"""

import gc
import time
import tracemalloc
from collections.abc import Sequence
from functools import partial

from orchestration.json_types import JsonObject
from orchestration.session.inputs import ClockFact
from orchestration.session.stream_clocks import StreamClocks
from orchestration.timing.clock import SessionClock
from orchestration.timing.stream_clock import MAX_ENTRIES, StreamClock
from tests.benchmarks.figures import machine_line, percentile, row
from tests.unit.timing.simulation import ACCIDENTS, SAMPLE_RATE, T0_NS, simulate

SEEDS = range(20)
PPM = (-200.0, -50.0, 50.0, 200.0)
MAX_RATE_ERROR_PPM, MAX_OFFSET_ERROR_MS = 1.0, 2.0
"""What 95 of 100 may be off by."""

HOUR_S = 3600
FRAMES_A_SECOND = 10


def accuracy(seeds: Sequence[int] = SEEDS) -> list[str]:
    """Errors by accident and rate, and how often the stated bounds held; returns what is missed."""
    missed: list[str] = []
    print(f"{'accident':<24}{'ppm':>6}  rate ppm p50  p95   offset ms p50  p95   bounds held  told")
    for accident in ACCIDENTS:
        for ppm in PPM:
            outcomes = [simulate(seed, ppm, accident) for seed in seeds]
            rates = [one.rate_error_ppm for one in outcomes]
            offsets = [one.offset_error_ms for one in outcomes]
            held = sum(
                one.rate_error_ppm <= one.rate_bound_ppm
                and one.offset_error_ms <= one.offset_bound_ms
                for one in outcomes
            )
            told = {", ".join(change.kind for change in one.changes) for one in outcomes}
            rate_p95, offset_p95 = percentile(rates, 0.95), percentile(offsets, 0.95)
            if rate_p95 > MAX_RATE_ERROR_PPM or offset_p95 > MAX_OFFSET_ERROR_MS:
                off = f"{rate_p95:.2f} ppm, {offset_p95:.1f} ms"
                missed.append(f"clock, {accident.name}, {ppm:.0f} ppm: {off}")
            print(
                f"{accident.name:<24}{ppm:>6.0f}"
                f"{percentile(rates, 0.5):>14.2f}{rate_p95:>6.2f}"
                f"{percentile(offsets, 0.5):>15.3f}{offset_p95:>7.3f}"
                f"{f'{held}/{len(outcomes)}':>12}  {' | '.join(sorted(told)) or '-'}",
                flush=True,
            )
    return missed


def hour() -> StreamClock:
    """An hour of frames; the estimate is asked for as often as a session may."""
    clock = StreamClock(SAMPLE_RATE)
    frame_samples = SAMPLE_RATE // FRAMES_A_SECOND
    for frame in range(1, HOUR_S * FRAMES_A_SECOND + 1):
        delay_ns = 30_000_000 + frame * 7_919 % 5_000_000
        clock.arrived(frame * frame_samples, T0_NS + frame * 100_000_000 + delay_ns)
        if frame % (5 * FRAMES_A_SECOND) == 0:
            clock.stamped(frame * frame_samples, T0_NS // 1_000_000 + frame * 100)
        _ = clock.estimate
    return clock


def session_hour() -> tuple[StreamClocks, SessionClock]:
    """An hour of one stream as a session takes it: arrivals, stamps, the timeline, what to store.

    The sample clock is off by 100 ppm, and wanders by 20 ppm in each minute.
    """
    timeline = SessionClock()
    clocks = StreamClocks(timeline, _discard, {})
    timeline.add_stream(0, SAMPLE_RATE)
    clocks.add_stream(0, SAMPLE_RATE)
    frame_samples = SAMPLE_RATE // FRAMES_A_SECOND
    ahead_ns = 0
    for frame in range(1, HOUR_S * FRAMES_A_SECOND + 1):
        ahead_ns += 10_000 + 2_000 * (frame // 600 % 3 - 1)
        end_sample = frame * frame_samples
        captured_ns = T0_NS + frame * 100_000_000 + ahead_ns
        received_ns = captured_ns + 30_000_000 + frame * 7_919 % 5_000_000
        timeline.audio_arrived(0, end_sample, received_ns)
        final_before = partial(max, 0, end_sample - 4 * SAMPLE_RATE)
        clocks.arrived(0, end_sample, received_ns, final_before)
        if frame % (5 * FRAMES_A_SECOND) == 0:
            clocks.take(ClockFact(frame, 0, end_sample, captured_ns // 1_000_000))
        if frame == 5 * FRAMES_A_SECOND:
            timeline.settle(0)
        if frame % FRAMES_A_SECOND == 0:
            clocks.drain()
    return clocks, timeline


def _discard(kind: str, body: JsonObject) -> None:
    return


def cost() -> None:
    """CPU for each second of audio, and what an hour leaves in memory."""
    began_ns = time.process_time_ns()
    hour()
    cpu_us = (time.process_time_ns() - began_ns) / 1000 / HOUR_S
    tracemalloc.start()
    clock = hour()
    # Python's lists of free tuples are no clock's.
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    row("CPU for each second of audio, 100 ms frames", f"{cpu_us:.0f} us")
    row("entries after an hour", f"{len(clock)}", f"{MAX_ENTRIES}")
    tracemalloc.stop()
    row("memory after an hour", f"{held / 1000:.1f} kB")
    del clock
    began_ns = time.process_time_ns()
    session_hour()
    cpu_us = (time.process_time_ns() - began_ns) / 1000 / HOUR_S
    tracemalloc.start()
    kept = session_hour()
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    row("in a session: CPU for each second of audio", f"{cpu_us:.0f} us")
    row("in a session: memory after an hour", f"{held / 1000:.1f} kB")
    del kept


def main() -> None:
    print(machine_line())
    accuracy()
    cost()


if __name__ == "__main__":
    main()
