"""A small JSON route of a whisper service, through the gateway and asked directly.

    python -m tests.benchmarks.bench_gateway

Service and gateway (the application on bare uvicorn) have a process each. Both are asked in turn
by the same client on 32 connections that are kept open, each with one request under way. Client,
gateway and service share the machine's cores.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from tests.benchmarks.bench_health_rps import CONNECTIONS, bare_api, load, until_healthy
from tests.benchmarks.figures import machine_line, percentile, row
from tests.service import free_port

ROUND_S = 3.0
ROUNDS = 4
BAR_RPS = 1000
MODELS = {"object": "list", "data": [{"id": "whisper-1", "object": "model", "owned_by": "us"}]}


async def _models(request: web.Request) -> web.Response:
    return web.json_response(MODELS)


def serve(port: int) -> None:
    """Be the whisper service."""
    app = web.Application()
    app.router.add_get("/v1/models", _models)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


@contextlib.contextmanager
def whisper_service() -> Iterator[int]:
    """The whisper service in a process of its own; yields its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", __spec__.name, str(port)])
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


async def compare(gateway: int, service: int) -> float:
    """Print the figures; returns the gateway's requests a second."""
    await until_healthy(gateway)
    paths = {"through the gateway": (gateway, "/api/whisper/v1/models")}
    paths["directly"] = (service, "/v1/models")
    rates: dict[str, list[float]] = {name: [] for name in paths}
    latencies_ms: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, (port, path) in paths.items():
            rate, latencies = await load(port, ROUND_S, path)
            rates[name].append(rate)
            latencies_ms[name] += latencies
    print(f"GET /v1/models, {CONNECTIONS} connections, best of {ROUNDS} rounds; {machine_line()}")
    for name in paths:
        p50, p99 = (percentile(latencies_ms[name], share) for share in (0.5, 0.99))
        bar = f"{BAR_RPS}/s" if name == "through the gateway" else ""
        row(name, f"{max(rates[name]):.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms", bar)
    through, direct = (max(one) for one in rates.values())
    row("ratio", f"{through / direct:.2f}")
    return through


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        whisper_service() as service,
        bare_api(Path(folder), f"http://127.0.0.1:{service}") as gateway,
    ):
        rate = asyncio.run(compare(gateway, service))
    return 0 if rate >= BAR_RPS else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(int(sys.argv[1]))
    else:
        sys.exit(main())
