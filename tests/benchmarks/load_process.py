"""A load generator in a process of its own: it says when it is ready, goes when told, reports once.

Its order is a line of JSON on its command line, its report a line of JSON on its output, so that
whoever measures can look at other processes right before and right after.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.benchmarks.figures import percentile

READY = "ready"
READY_LIMIT_S = 300
STOP_LIMIT_S = 10


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one run of a generator brought. Latencies from a frame's sending to its ack."""

    frames_sent: int
    frames_acked: int
    acks: int
    """Messages: an ack is of all frames before it."""
    seconds: float
    ack_p50_ms: float
    ack_p99_ms: float
    late_p99_ms: float
    """How long after its time a frame was sent: the generator's own trouble, or a full window."""
    cpu_s: float
    """Of the generator, while it sent."""
    load_average: float
    ranges: dict[str, tuple[int, int]]
    """By session, the first frame sent and the last one acked."""

    @property
    def frames_a_second(self) -> float:
        return self.frames_acked / self.seconds


class Stopwatch:
    """Takes down what a `LoadReport` says, from the first frame to the last ack."""

    def __init__(self) -> None:
        self.ack_latencies_s: list[float] = []
        self.lateness_s: list[float] = []
        self.frames_sent = 0
        self.acks = 0
        self.start()

    def start(self) -> None:
        """The first frame is about to go."""
        self._began_s = time.perf_counter()
        self._cpu_s = time.process_time()

    def report(self, ranges: dict[str, tuple[int, int]]) -> LoadReport:
        return LoadReport(
            frames_sent=self.frames_sent,
            frames_acked=len(self.ack_latencies_s),
            acks=self.acks,
            seconds=time.perf_counter() - self._began_s,
            ack_p50_ms=1000 * percentile(self.ack_latencies_s or [0.0], 0.5),
            ack_p99_ms=1000 * percentile(self.ack_latencies_s or [0.0], 0.99),
            late_p99_ms=1000 * percentile(self.lateness_s or [0.0], 0.99),
            cpu_s=time.process_time() - self._cpu_s,
            load_average=os.getloadavg()[0],
            ranges=ranges,
        )


class Generator:
    """A generator as seen by who measures."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def go(self, limit_s: float) -> LoadReport:
        """Let it send, for at most `limit_s`."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        async with asyncio.timeout(limit_s):
            said: dict[str, Any] = json.loads(await self._line())
        said["ranges"] = {name: (first, last) for name, (first, last) in said["ranges"].items()}
        return LoadReport(**said)

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended without a report")
        return line


@contextlib.asynccontextmanager
async def generator(module: str, order: object) -> AsyncIterator[Generator]:
    """Start a generator and wait until it is ready; its connections close at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, json.dumps(order)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert process.stdin is not None
    try:
        one = Generator(process)
        async with asyncio.timeout(READY_LIMIT_S):
            said = (await one._line()).decode().strip()
        assert said == READY, said
        yield one
        process.stdin.close()
        await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def await_go() -> None:
    """In the generator: say that everything is connected, and wait for the word."""
    print(READY, flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def hand_in(report: LoadReport) -> None:
    """In the generator: report, and keep the connections until it is dismissed."""
    print(json.dumps(asdict(report)), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


def run_generator(
    generate: Callable[[Any, bytes], Coroutine[Any, Any, None]], arguments: Sequence[str]
) -> None:
    """A generator's whole process; it gets its order, and the audio that the order names."""
    order = json.loads(arguments[0])
    uvloop.run(generate(order, Path(order["audio"]).read_bytes()))
