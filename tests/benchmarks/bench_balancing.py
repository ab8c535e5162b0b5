"""A pool with one failing, one hanging, one slow and one good whisper: ours, and HAProxy's.

    python -m tests.benchmarks.bench_balancing

Twenty sessions send 4 s chunks through each balancer, to services of its own, at the same time
and for the same time. `/health` of all four answers throughout, as it does of a service whose
graphics card is stuck. In the middle the failing and the hanging service get well. HAProxy checks
`/health` each second, takes out a server after five errors, and may repeat a request twice.
"""

import asyncio
import contextlib
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web

from actors.cluster_environment import haproxy_binary
from orchestration.errors import EngineError
from orchestration.services.balanced import BalancedTranscription
from orchestration.services.pool_members import WeightedEngine
from orchestration.services.ports import Hypothesis, TranscriptionEngine, TranscriptionRequest
from orchestration.services.whisper_openai import OpenAIWhisper
from tests.benchmarks.figures import machine_line, percentile, row
from tests.doubles.faulty_server import FaultMode
from tests.doubles.whisper_server import WhisperDouble
from tests.service import free_port

SESSIONS = 20
CHUNK_EVERY_S = 2.0
TIMEOUT_S = 6.0
TRIES = 3
WELL_AT_S = 20.0
END_S = 55.0
QUIET_S = 3.0
"""A service that gets nothing for this long is ejected."""
BAR_AMPLIFICATION = 1.2
AUDIO = bytes(4 * 32_000)
FAULTS: dict[str, FaultMode] = {
    "failing": "server_error",
    "hanging": "hang",
    "slow": "slow",
    "good": "ok",
}

HAPROXY = """
global
    tune.bufsize 262144
defaults
    mode http
    balance roundrobin
    option http-buffer-request
    option redispatch 1
    option httpchk GET /health
    retries {retries}
    retry-on all-retryable-errors
    timeout connect 1s
    timeout client {timeout_ms}ms
    timeout server {try_ms}ms
    default-server check inter 1s observe layer7 error-limit 5 on-error mark-down
listen pool
    bind 127.0.0.1:{port}
"""


class Transcriber(Protocol):
    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis: ...


class TimedWhisper(WhisperDouble):
    """Remembers when it was asked, in seconds of the loop's time."""

    def __init__(self, mode: FaultMode) -> None:
        super().__init__()
        self.mode = mode
        self.asked_s: list[float] = []

    async def respond(self, request: web.Request, answer: object) -> web.StreamResponse:
        self.asked_s.append(asyncio.get_running_loop().time())
        return await super().respond(request, answer)


@dataclass
class Load:
    """What the sessions of one balancer saw, and its services."""

    services: dict[str, TimedWhisper]
    began_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    lost: int = 0

    async def run(self, pool: Transcriber) -> None:
        loop = asyncio.get_running_loop()
        self.began_s = loop.time()
        loop.call_later(WELL_AT_S, self._heal)
        offsets = (CHUNK_EVERY_S * index / SESSIONS for index in range(SESSIONS))
        await asyncio.gather(*(self._meet(pool, offset) for offset in offsets))

    def _heal(self) -> None:
        for name in ("failing", "hanging"):
            self.services[name].mode = "ok"

    async def _meet(self, pool: Transcriber, offset_s: float) -> None:
        loop = asyncio.get_running_loop()
        next_s = self.began_s + offset_s
        for chunk in range(int(END_S / CHUNK_EVERY_S)):
            await asyncio.sleep(max(0.0, next_s - loop.time()))
            next_s += CHUNK_EVERY_S
            asked_s = loop.time()
            try:
                await pool.transcribe(TranscriptionRequest("s", 0, chunk, AUDIO, "en", ""))
            except EngineError:
                self.lost += 1
            self.latencies_ms.append((loop.time() - asked_s) * 1000)

    def ejected_s(self, name: str) -> float | None:
        """When a service got its last request before a quiet time; None if it never was quiet."""
        well_s = self.began_s + WELL_AT_S
        ill = [one for one in self.services[name].asked_s if one < well_s]
        for one, after in zip(ill, [*ill[1:], well_s], strict=True):
            if after - one >= QUIET_S:
                return one - self.began_s
        return None

    def back_s(self, name: str) -> float | None:
        """How long after it was well a service got two requests within `QUIET_S`."""
        well_s = self.began_s + WELL_AT_S
        well = [one for one in self.services[name].asked_s if one >= well_s]
        for one, after in itertools.pairwise(well):
            if after - one < QUIET_S:
                return one - well_s
        return None

    def report(self, title: str) -> float:
        """Print the figures; returns the amplification."""
        tries = sum(len(one.asked_s) for one in self.services.values())
        requests = len(self.latencies_ms)
        row(f"{title}: chunks heard", f"{requests - self.lost} of {requests}")
        p50, p99 = (percentile(self.latencies_ms, share) for share in (0.5, 0.99))
        row(f"{title}: a chunk", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        row(f"{title}: tries per chunk", f"{tries / requests:.3f}", f"{BAR_AMPLIFICATION}")
        for name in ("failing", "hanging"):
            out, back = _seconds(self.ejected_s(name)), _seconds(self.back_s(name))
            row(f"{title}: {name} ejected after, back after", f"{out}, {back}")
        return tries / requests


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


@contextlib.asynccontextmanager
async def services() -> AsyncIterator[dict[str, TimedWhisper]]:
    async with contextlib.AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(TimedWhisper(mode))
            for name, mode in FAULTS.items()
        }


@contextlib.asynccontextmanager
async def haproxy(urls: Sequence[str]) -> AsyncIterator[str]:
    """HAProxy before these services; yields its URL."""
    port = free_port()
    config = HAPROXY.format(
        retries=TRIES - 1,
        timeout_ms=round(TIMEOUT_S * 1000),
        try_ms=round(TIMEOUT_S / TRIES * 1000),
        port=port,
    )
    config += "".join(
        f"    server s{index} {url.removeprefix('http://')}\n" for index, url in enumerate(urls)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "haproxy.cfg"
        path.write_text(config)
        process = await asyncio.create_subprocess_exec(haproxy_binary(), "-db", "-f", path)
        try:
            await _accepts(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await process.wait()


async def _accepts(port: int) -> None:
    for _ in range(50):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise ConnectionError("HAProxy did not start.")


def _engine(url: str) -> OpenAIWhisper:
    return OpenAIWhisper(url, model="whisper-1", timeout_s=TIMEOUT_S)


async def main() -> int:
    async with (
        services() as ours,
        services() as theirs,
        haproxy([one.url for one in theirs.values()]) as url,
    ):
        engines: list[WeightedEngine[TranscriptionEngine]] = [
            WeightedEngine(name, _engine(one.url)) for name, one in ours.items()
        ]
        pool = BalancedTranscription(engines, timeout_s=TIMEOUT_S, tries=TRIES)
        other = _engine(url)
        our_load, their_load = Load(ours), Load(theirs)
        await asyncio.gather(our_load.run(pool), their_load.run(other))
        await pool.close()
        await other.close()
    amplification = our_load.report("pool")
    their_load.report("HAProxy")
    row("machine", machine_line())
    return 0 if amplification <= BAR_AMPLIFICATION and not our_load.lost else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
