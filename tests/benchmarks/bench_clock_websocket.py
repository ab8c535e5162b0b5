"""How well a running service knows its senders' clocks after 300 s, through real WebSockets.

    python -m tests.benchmarks.bench_clock_websocket [SECONDS [URL]]

A service is started, unless the URL of one is given: sessions clock-0 to clock-3 must be new there.
16 streams in four sessions, all at once and in real time: each of a clean run, a path that grows
by 40 ms, 100 ms of lost and 100 ms of doubled capture, with sample clocks off by ±50 and ±200 ppm.
Frames are sent when the simulated network (tests/unit/timing/simulation.py) delivers them; they
then go through the real one, HAProxy and the ingress. The streams begin at moments spread over the
100 ms of a frame, as meetings do: in step, 16 frames would wait for each other ten times a second,
and less and less as their clocks part, which no clock can tell from a rate. The senders share their
cores with the service, as bots on machines of their own do not, so they go before it: one that is
late by 0.1 ms more in a busy minute is off by 1 ppm itself. Estimates are read from
`/api/sessions/{id}/statistics`, and compared with the truth at the sample that they name. What the
machine itself takes to carry a frame is part of the offset's error.
"""

import asyncio
import heapq
import json
import os
import selectors
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from orchestration.client.api import OrchestrationClient
from orchestration.client.wire import frame_bytes
from orchestration.timing.units import NS_PER_SECOND
from tests.benchmarks.figures import machine_line, p50_p95, row
from tests.chaos.coded_whisper import CodedWhisper
from tests.chaos.service_under_test import ServiceUnderTest
from tests.unit.timing.simulation import (
    ACCIDENTS,
    FRAME_S,
    SAMPLE_RATE,
    Accident,
    Delivery,
    deliveries,
)

DURATION_S = 300
SHOWN = ("spikes and stalls only", "path +40 ms", "100 ms lost", "100 ms twice")
PPM = (-200.0, -50.0, 50.0, 200.0)
WATCHED_NS = 300_000
"""Before a frame is due, a bot watches the clock for so long. A timer is late by up to 0.2 ms."""
STORED_WITHIN_S = 3.0
"""After the last frame, for its estimate to be stored."""
BAR_PPM, BAR_MS = 1.0, 2.0
NOISE_AMPLITUDE = 20
"""-64 dBFS: a quiet line, which the voice gate calls silence."""
FRAME_SAMPLES = SAMPLE_RATE // 10


@dataclass
class Stream:
    """One simulated sender's frames, and what became of them."""

    number: int
    seed: int
    ppm: float
    accident: Accident
    begins_s: float
    """Of its simulation, since its bot's first."""
    sent: list[Delivery] = field(default_factory=list)

    @property
    def spec(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "encoding": "s16le",
            "sample_rate": SAMPLE_RATE,
            "channels": 1,
        }

    def frames(self, duration_s: float) -> Iterator[tuple[float, int, Delivery]]:
        for one in deliveries(self.seed, self.ppm, self.accident, duration_s):
            yield self.begins_s + one.delivered_s, self.number, one


@dataclass
class Bot:
    """One session's sender: all its streams over one connection."""

    session_id: str
    streams: Sequence[Stream]
    pcm: bytes
    zero_ns: int = 0
    """Unix time, on a clock that does not step, when the simulation began."""
    lateness_s: list[float] = field(default_factory=list)
    facts: int = 0

    async def play(self, client: aiohttp.ClientSession, url: str, duration_s: float) -> None:
        async with client.ws_connect(f"{url}/ws/ingest/{self.session_id}") as socket:
            specs = [stream.spec for stream in self.streams]
            await socket.send_json({"type": "hello", "protocol": 1, "streams": specs})
            welcome = await socket.receive_json()
            assert welcome["type"] == "welcome", welcome
            hearing = asyncio.create_task(_hear(socket))
            began_ns = time.monotonic_ns()
            self.zero_ns = time.time_ns()
            seqs = dict.fromkeys((stream.number for stream in self.streams), 0)
            by_number = {stream.number: stream for stream in self.streams}
            merged = heapq.merge(*(stream.frames(duration_s) for stream in self.streams))
            for at_s, number, one in merged:
                await _until(began_ns + round(at_s * 1e9))
                self.lateness_s.append((time.monotonic_ns() - began_ns) / 1e9 - at_s)
                await self._send(socket, by_number[number], seqs[number], one)
                by_number[number].sent.append(one)
                seqs[number] += 1
            await asyncio.sleep(STORED_WITHIN_S)
            hearing.cancel()

    async def _send(
        self, socket: aiohttp.ClientWebSocketResponse, stream: Stream, seq: int, one: Delivery
    ) -> None:
        number = stream.number
        first = one.sample - FRAME_SAMPLES
        await socket.send_bytes(frame_bytes(number, seq, first, self.pcm))
        if one.stamp_s is not None:
            fact = {
                "type": "clock",
                "fact": self.facts,
                "stream": number,
                "sample": one.sample,
                "unix_ms": (self.zero_ns + round((stream.begins_s + one.stamp_s) * 1e9))
                // 1_000_000,
            }
            self.facts += 1
            await socket.send_str(json.dumps(fact))


async def _until(at_ns: int) -> None:
    """Returns at this moment of the monotonic clock, closer than timers are."""
    while True:
        left_ns = at_ns - time.monotonic_ns()
        if left_ns <= 0:
            return
        # A sleep of nothing: the other bots have their turns, and hear their acks.
        await asyncio.sleep(max(0, left_ns - WATCHED_NS) / 1e9)


def _go_first() -> str:
    """Run this thread whenever it has something to do, if the system allows it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return "of no priority, so that they wait for the service"
    return "before the service"


async def _hear(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in socket:
        said = message.json()
        if said["type"] not in ("ack", "pong"):
            print(f"the service said {said}", file=sys.stderr)


@dataclass(frozen=True, slots=True)
class Errors:
    """One stream's, and what it was told to be."""

    accident: str
    rate_ppm: float
    offset_ms: float
    is_bounded: bool
    told: tuple[str, ...]


def errors(bot: Bot, stream: Stream, figures: dict[str, Any]) -> Errors:
    (clock,) = (one for one in figures["clocks"] if one["stream"] == stream.number)
    sample = clock["at_sample"]
    (frame,) = (one for one in stream.sent if one.sample == sample)
    nominal_s = sample / SAMPLE_RATE
    told_s = (
        nominal_s * (1 + clock["rate_ppm"] / 1e6)
        + (round(clock["offset"] * NS_PER_SECOND) - bot.zero_ns) / NS_PER_SECOND
    )
    rate_ppm = abs(clock["rate_ppm"] - stream.ppm)
    offset_s = abs(told_s - stream.begins_s - frame.least_s)
    kinds = (one["kind"] for one in figures["clock_changes"] if one["stream"] == stream.number)
    return Errors(
        stream.accident.name,
        rate_ppm,
        offset_s * 1000,
        rate_ppm <= clock["rate_error_ppm"] and offset_s <= clock["offset_error"],
        tuple(kinds),
    )


def bots() -> list[Bot]:
    rng = np.random.default_rng(0)
    noise = rng.integers(-NOISE_AMPLITUDE, NOISE_AMPLITUDE, FRAME_SAMPLES, dtype="<i2").tobytes()
    accidents = [one for one in ACCIDENTS if one.name in SHOWN]
    places = rng.permutation(len(accidents) * len(PPM)).reshape(len(accidents), len(PPM))
    begins_s = FRAME_S * places / places.size
    return [
        Bot(
            f"clock-{place}",
            [
                Stream(number, 100 * place + number, ppm, accident, float(begins_s[place, number]))
                for number, ppm in enumerate(PPM)
            ],
            noise,
        )
        for place, accident in enumerate(accidents)
    ]


def report(found: Sequence[Errors]) -> None:
    for name in SHOWN:
        of_kind = [one for one in found if one.accident == name]
        print(f"{name}: told {sorted({', '.join(one.told) or '-' for one in of_kind})}")
        row("  rate error", p50_p95([one.rate_ppm for one in of_kind], "ppm", 2))
        row("  offset error", p50_p95([one.offset_ms for one in of_kind], "ms", 2))
    row("rate error, all", p50_p95([one.rate_ppm for one in found], "ppm", 2), f"{BAR_PPM} ppm")
    row("offset error, all", p50_p95([one.offset_ms for one in found], "ms", 2), f"{BAR_MS} ms")
    row("stated bounds held", f"{sum(one.is_bounded for one in found)} of {len(found)}")


async def measure(url: str, duration_s: float) -> None:
    print(f"{duration_s:.0f} s of {len(SHOWN) * len(PPM)} streams; {machine_line()}", flush=True)
    playing = bots()
    async with OrchestrationClient(url) as api, aiohttp.ClientSession() as client:
        for bot in playing:
            await api.create_session(bot.session_id, language="en")
        row("frames are sent", _go_first())
        await asyncio.gather(*(bot.play(client, url, duration_s) for bot in playing))
        found = []
        for bot in playing:
            async with client.get(f"{url}/api/sessions/{bot.session_id}/statistics") as response:
                figures = await response.json()
            found += [errors(bot, stream, figures) for stream in bot.streams]
    late_ms = [1000 * one for bot in playing for one in bot.lateness_s]
    report(found)
    row("frames sent late by the benchmark", p50_p95(late_ms, "ms", 1))
    print(f"Afterwards: {machine_line()}")


async def run(duration_s: float) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        async with CodedWhisper() as whisper:
            service = ServiceUnderTest(folder / "data", WHISPER_SERVICE_URL=whisper.url)
            try:
                await asyncio.to_thread(service.start)
                await measure(service.url, duration_s)
            finally:
                await asyncio.to_thread(service.stop)


def main() -> None:
    duration_s = float(sys.argv[1]) if len(sys.argv) > 1 else DURATION_S
    with asyncio.Runner(loop_factory=_loop_with_fine_timers) as runner:
        runner.run(measure(sys.argv[2], duration_s) if len(sys.argv) > 2 else run(duration_s))


def _loop_with_fine_timers() -> asyncio.AbstractEventLoop:
    """By select, whose timeouts are microseconds. Those of epoll are whole milliseconds, which
    would be the greatest part of what is measured."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    main()
