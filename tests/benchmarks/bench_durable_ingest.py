"""What a durable 100 ms frame costs, and how many a second there can be, beside NATS JetStream.

    python -m tests.benchmarks.bench_durable_ingest [SESSIONS ...]

Full speed: the same frames from as many publishers with the same window, to the service (each
frame committed in PostgreSQL before its ack) and to JetStream (each message flushed before its
ack), in turn. Real time: one stream of a frame every 100 ms on each of SESSIONS sessions, 25, 50
and 100 unless given, until the machine holds no more. CPU is of the processes on a frame's way,
from the first frame to the last ack; generators have processes of their own. All share the
machine's cores.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from orchestration.client.api import OrchestrationClient
from orchestration.config.models import IngestSettings
from tests.benchmarks.figures import machine_line, percentile, row
from tests.benchmarks.ingest_load import (
    FRAME_BYTES,
    FRAME_S,
    TAIL_S,
    IngestOrder,
)
from tests.benchmarks.jetstream import PublishOrder, jetstream_server, stored_messages
from tests.benchmarks.load_process import LoadReport, generator
from tests.benchmarks.lost_frames import lost_frames
from tests.benchmarks.process_cpu import PATH, cpu_between, cpu_snapshot, process_cpu_s
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_whisper import CodedWhisper
from tests.chaos.service_under_test import SESSION_ACTOR, ServiceUnderTest

SESSIONS = (25, 50, 100)
REAL_TIME_FRAMES = 300
HELD_ACK_P99_MS = 1000
"""Sessions are held when every frame is acked, and all but one in a hundred within this."""
PUBLISHERS = 8
FULL_SPEED_FRAMES = 500
"""Of each publisher, in each round."""
ROUNDS = 3
FULL_SPEED_LIMIT_S = 120
CREATED_AT_ONCE = 4
AUDIO_S = 60
NOISE_AMPLITUDE = 20
"""-64 dBFS: a quiet line, which the voice gate calls silence."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all parts need."""

    service: ServiceUnderTest
    whisper: CodedWhisper
    folder: Path

    def audio(self, name: str) -> str:
        return str(self.folder / f"{name}.pcm")

    def audio_bytes(self, path: str) -> bytes:
        return Path(path).read_bytes()


def make_audio(folder: Path) -> None:
    """`quiet.pcm`, which the voice gate calls silence, and `speech.pcm`, coded."""
    rng = np.random.default_rng(0)
    samples = AUDIO_S * 16_000
    quiet = rng.integers(-NOISE_AMPLITUDE, NOISE_AMPLITUDE, samples, dtype="<i2")
    speech = coded_meeting(random.Random(0), AUDIO_S * 1000).samples
    (folder / "quiet.pcm").write_bytes(quiet.tobytes())
    (folder / "speech.pcm").write_bytes(speech.astype("<i2").tobytes())


async def create_sessions(bench: Bench, names: Sequence[str]) -> None:
    gate = asyncio.Semaphore(CREATED_AT_ONCE)

    async def create(client: OrchestrationClient, name: str) -> None:
        async with gate:
            await client.create_session(name, language="en")

    async with OrchestrationClient(bench.service.url) as client:
        await asyncio.gather(*(create(client, name) for name in names))


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """One run against the service."""

    report: LoadReport
    cpu_s: dict[str, float]
    missing: int
    altered: int

    def ms_a_frame(self, *parts: str) -> float:
        spent = sum(self.cpu_s[part] for part in parts or self.cpu_s)
        return 1000 * spent / max(1, self.report.frames_acked)


async def ingest(bench: Bench, order: IngestOrder) -> IngestFigures:
    """Send, and see what it cost and whether it is there."""
    async with generator("tests.benchmarks.ingest_load", order) as load:
        before = await asyncio.to_thread(cpu_snapshot, bench.service)
        report = await load.go(order["limit_s"] + TAIL_S)
        after = await asyncio.to_thread(cpu_snapshot, bench.service)
    missing, altered = await lost_frames(
        bench.service.dsn, report, bench.audio_bytes(order["audio"])
    )
    return IngestFigures(report, cpu_between(before, after), missing, altered)


def print_cost(figures: IngestFigures) -> None:
    report = figures.report
    parts = ", ".join(f"{part} {figures.ms_a_frame(part):.2f}" for part in figures.cpu_s)
    row("  CPU on a frame's way", f"{figures.ms_a_frame(*PATH):.2f} ms a frame")
    row("  by part, ms a frame", parts)
    row("  ack latency", f"p50 {report.ack_p50_ms:.0f} ms, p99 {report.ack_p99_ms:.0f} ms")
    row("  frames an ack", f"{report.frames_acked / max(1, report.acks):.1f}")
    row(
        "  acked frames lost, or altered",
        f"{figures.missing}, {figures.altered} of {report.frames_acked}",
        "0, 0",
    )


# At full speed, beside JetStream


async def full_speed(bench: Bench, names: Sequence[str]) -> IngestFigures:
    return await ingest(
        bench,
        IngestOrder(
            url=bench.service.url,
            sessions=list(names),
            audio=bench.audio("quiet"),
            frames=FULL_SPEED_FRAMES,
            real_time=False,
            limit_s=FULL_SPEED_LIMIT_S,
        ),
    )


@dataclass(frozen=True, slots=True)
class JetStreamFigures:
    """One run against JetStream."""

    report: LoadReport
    server_cpu_s: float
    missing: int


async def jetstream(bench: Bench, number: int) -> JetStreamFigures:
    with jetstream_server(bench.folder / f"jetstream-{number}") as (url, pid):
        order = PublishOrder(
            url=url,
            streams=[f"publisher-{number}" for number in range(PUBLISHERS)],
            audio=bench.audio("quiet"),
            frames=FULL_SPEED_FRAMES,
            window=IngestSettings().window_frames,
            limit_s=FULL_SPEED_LIMIT_S,
        )
        async with generator("tests.benchmarks.jetstream", order) as load:
            before_s = process_cpu_s(psutil.Process(pid))
            report = await load.go(FULL_SPEED_LIMIT_S + TAIL_S)
            server_cpu_s = process_cpu_s(psutil.Process(pid)) - before_s
        stored = await stored_messages(url, order["streams"])
    return JetStreamFigures(report, server_cpu_s, report.frames_acked - stored)


def print_round(ours: IngestFigures, theirs: JetStreamFigures) -> None:
    here, there = ours.report, theirs.report
    row(f"service, load {here.load_average:.0f}", f"{here.frames_a_second:.0f} frames/s")
    print_cost(ours)
    row("  CPU of the generator", f"{here.cpu_s:.2f} s")
    row(f"JetStream, load {there.load_average:.0f}", f"{there.frames_a_second:.0f} frames/s")
    server_ms = 1000 * theirs.server_cpu_s / there.frames_acked
    row("  CPU of the server", f"{server_ms:.2f} ms a frame")
    row("  ack latency", f"p50 {there.ack_p50_ms:.0f} ms, p99 {there.ack_p99_ms:.0f} ms")
    row("  acked messages not stored", f"{theirs.missing} of {there.frames_acked}", "0")
    row("  CPU of the generator", f"{there.cpu_s:.2f} s")


async def beside_jetstream(bench: Bench, names: Sequence[str]) -> None:
    print(
        f"Full speed: {PUBLISHERS} publishers, {FULL_SPEED_FRAMES} frames of {FRAME_BYTES} bytes"
        f" each, {ROUNDS} rounds; {machine_line()}"
    )
    here, there = [], []
    for number in range(ROUNDS):
        here.append(await full_speed(bench, names))
        there.append(await jetstream(bench, number))
    for ours, theirs in zip(here, there, strict=True):
        print_round(ours, theirs)
    ratios = [
        ours.report.frames_a_second / theirs.report.frames_a_second
        for ours, theirs in zip(here, there, strict=True)
    ]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    row("service to JetStream, frames/s", f"median {percentile(ratios, 0.5):.2f}, {spread}")


# In real time


async def real_time(bench: Bench, names: Sequence[str], audio: str) -> bool:
    """One run; whether the machine held it."""
    asked = bench.whisper.count
    figures = await ingest(
        bench,
        IngestOrder(
            url=bench.service.url,
            sessions=list(names),
            audio=bench.audio(audio),
            frames=REAL_TIME_FRAMES,
            real_time=True,
            limit_s=REAL_TIME_FRAMES * FRAME_S + TAIL_S,
        ),
    )
    report = figures.report
    late = f"{report.late_p99_ms:.0f} ms late at p99"
    is_held = report.frames_acked == REAL_TIME_FRAMES * len(names) and (
        report.ack_p99_ms <= HELD_ACK_P99_MS
    )
    print(f"Real time: {len(names)} streams, {audio}; load average {report.load_average:.1f}")
    row(
        "  frames acked",
        f"{report.frames_acked} of {REAL_TIME_FRAMES * len(names)} in {report.seconds:.1f} s",
    )
    print_cost(figures)
    busy = ", ".join(
        f"{part} {spent / report.seconds:.2f}" for part, spent in figures.cpu_s.items()
    )
    row("  cores in use", f"{busy}, generator {report.cpu_s / report.seconds:.2f}")
    row("  frames sent", late)
    row("  asked of whisper", f"{bench.whisper.count - asked} times")
    row("  held", "yes" if is_held else f"no: {trouble(report, len(names))}")
    return is_held


def trouble(report: LoadReport, sessions: int) -> str:
    missing = REAL_TIME_FRAMES * sessions - report.frames_acked
    if missing:
        return f"{missing} frames not acked in time"
    return f"acks over {HELD_ACK_P99_MS} ms"


def print_memory(bench: Bench) -> None:
    actors = bench.service.processes(SESSION_ACTOR)
    all_mb = bench.service.memory_bytes() / 2**20
    row(f"memory (PSS) with {len(actors)} session actors", f"{all_mb:.0f} MB in all")


async def measure(bench: Bench, counts: Sequence[int]) -> None:
    names = [f"session-{number:03}" for number in range(max(*counts, PUBLISHERS))]
    await create_sessions(bench, names[:PUBLISHERS])
    await beside_jetstream(bench, names[:PUBLISHERS])
    created = PUBLISHERS
    for count in sorted(counts):
        await create_sessions(bench, names[created:count])
        created = max(created, count)
        print_memory(bench)
        if not await real_time(bench, names[:count], "quiet"):
            print(f"{count} streams are more than this machine holds; no more are tried.")
            return
        if count == min(counts):
            await real_time(bench, names[:count], "speech")


async def run(counts: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        make_audio(folder)
        settings = folder / "settings.yaml"
        settings.write_text("sessions: {warm_actors: 0, abandoned_after_s: 3600}\n")
        async with CodedWhisper() as whisper:
            service = ServiceUnderTest(
                folder / "data",
                WHISPER_SERVICE_URL=whisper.url,
                ORCHESTRATION_CONFIG=str(settings),
            )
            try:
                await asyncio.to_thread(service.start)
                await measure(Bench(service, whisper, folder), counts)
            finally:
                await asyncio.to_thread(service.stop)


def main() -> None:
    asyncio.run(run([int(count) for count in sys.argv[1:]] or SESSIONS))
    print(f"Afterwards: {machine_line()}")


if __name__ == "__main__":
    main()
