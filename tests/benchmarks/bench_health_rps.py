"""GET /api/health of the running service, through HAProxy, against the same application bare.

    python -m tests.benchmarks.bench_health_rps

Both are asked in turn by the same client on 32 connections that are kept open, each with one
request under way. Client, HAProxy and server share the machine's cores.
"""

import asyncio
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from orchestration.client.api import OrchestrationClient
from orchestration.errors import ServiceUnreachable
from tests.benchmarks.figures import machine_line, p50_p95, row
from tests.service import free_port, service

CONNECTIONS = 32
ROUND_S = 3.0
ROUNDS = 4
BAR_RPS = 1000
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")


class Asker(asyncio.Protocol):
    """Asks again as soon as it is answered, until its time is over."""

    def __init__(self, request: bytes, until_s: float, latencies_ms: list[float]) -> None:
        self._request = request
        self._until_s = until_s
        self._latencies_ms = latencies_ms
        self._answer = b""
        self._asked_s = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n")
        if not blank or length is None or len(body) < int(length[1]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"not healthy: {head!r}")
        self._answer = b""
        now_s = time.perf_counter()
        self._latencies_ms.append((now_s - self._asked_s) * 1000)
        if now_s < self._until_s:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.done.set_exception(exc)
        else:
            self.done.set_result(None)

    def _ask(self) -> None:
        self._asked_s = time.perf_counter()
        self._transport.write(self._request)


async def load(port: int, seconds: float, path: str = "/api/health") -> tuple[float, list[float]]:
    """Requests a second and the latency of each in milliseconds."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    latencies_ms: list[float] = []
    began_s = time.perf_counter()
    askers = [Asker(request, began_s + seconds, latencies_ms) for _ in range(CONNECTIONS)]
    loop = asyncio.get_running_loop()
    for asker in askers:
        await loop.create_connection(lambda one=asker: one, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(asker.done for asker in askers))
    return len(latencies_ms) / (time.perf_counter() - began_s), latencies_ms


@contextlib.contextmanager
def bare_api(data_dir: Path, *whisper_urls: str) -> Iterator[int]:
    """The application on bare uvicorn in a process of its own; yields its port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.bare_api", str(port), str(data_dir), *whisper_urls]
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


async def until_healthy(port: int) -> None:
    async with OrchestrationClient(f"http://127.0.0.1:{port}") as client:
        while True:
            with contextlib.suppress(ServiceUnreachable):
                if (await client.health())["status"] == "healthy":
                    return
            await asyncio.sleep(0.2)


async def compare(ports: dict[str, int]) -> None:
    rates: dict[str, list[float]] = {name: [] for name in ports}
    latencies_ms: dict[str, list[float]] = {name: [] for name in ports}
    for port in ports.values():
        await until_healthy(port)
    for _ in range(ROUNDS):
        for name, port in ports.items():
            rate, latencies = await load(port, ROUND_S)
            rates[name].append(rate)
            latencies_ms[name] += latencies
    through, bare = (max(one) for one in rates.values())
    print(f"GET /api/health, {CONNECTIONS} connections, best of {ROUNDS} rounds; {machine_line()}")
    for name in ports:
        bar = f"{BAR_RPS}/s" if name == "through HAProxy" else ""
        row(name, f"{max(rates[name]):.0f}/s, {p50_p95(latencies_ms[name], 'ms', 1)}", bar)
    row("ratio", f"{through / bare:.2f}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data_dir = Path(folder) / "data"
        with service(data_dir) as running, bare_api(Path(folder)) as bare:
            port = int(running.url.rpartition(":")[2])
            asyncio.run(compare({"through HAProxy": port, "bare uvicorn": bare}))


if __name__ == "__main__":
    main()
