"""A server under test of `bench_fan_out`: the service's API over doubles, or python-socketio's.

    python -m tests.benchmarks.fan_out_server service|socketio DATA_DIR

It prints its port. A line `RATE SECONDS` on its input has it tell all viewers of its one session
RATE lines a second; then it prints how many these were, and the CPU seconds that they took.
"""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import socketio
import uvicorn
import uvloop

from orchestration.api.app import create_api
from orchestration.api.roll_call import RollCall
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.json_types import JsonObject
from orchestration.logs import configure_logs
from orchestration.services.gateway import HttpGateway
from orchestration.storage.values import SessionSpec
from tests.doubles.in_memory_archive import InMemoryArchive
from tests.doubles.in_memory_sessions import InMemorySessions
from tests.doubles.local_figures import LocalFigures
from tests.doubles.local_settings import LocalSettings
from tests.doubles.scripted_engines import ScriptedEngines

SESSION_ID = "s1"
SETTLE_S = 1.0
"""After the last line, until everything has left the process."""

Tell = Callable[[JsonObject], Awaitable[None]]


def line() -> JsonObject:
    """A segment as the service tells it, with the moment of its telling."""
    words: list[Any] = [
        {"text": f"word{number}", "start": number / 4, "end": number / 4 + 0.2, "confidence": 0.91}
        for number in range(12)
    ]
    return {
        "sent_ns": time.monotonic_ns(),
        "segment": {
            "segment_id": "s1:0:12",
            "revision": 1,
            "state": "final",
            "stream": 0,
            "start": 31.2,
            "end": 33.84,
            "text": "So that everybody can follow what was said from wherever they are.",
            "language": "en",
            "speaker": {"id": "p-101", "name": "Ana", "confidence": 0.97, "method": "temporal"},
            "words": words,
        },
    }


async def service(data_dir: Path) -> tuple[Any, Tell]:
    """The API, and how its session tells something."""
    archive = InMemoryArchive()
    sessions = InMemorySessions(archive)
    await sessions.create(SessionSpec(SESSION_ID))
    session = sessions.running[SESSION_ID]
    configure_logs("WARNING")

    async def tell(body: JsonObject) -> None:
        session.emit("segment", body)

    current = CurrentSettings(Settings(data_dir=data_dir))
    api = create_api(
        current,
        LocalSettings(current),
        sessions,
        archive,
        ScriptedEngines(),
        HttpGateway({}, timeout_s=1, tries=1),
        LocalFigures(),
        RollCall(),
        data_dir,
    )
    return api, tell


async def plain_socket_io(_: Path) -> tuple[Any, Tell]:
    """python-socketio's own server, whose clients enter one room."""
    server = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])

    async def join(sid: str, _: Any) -> None:
        await server.enter_room(sid, SESSION_ID)
        await server.emit("snapshot", {}, to=sid)

    server.on("service_message", join)

    async def tell(body: JsonObject) -> None:
        await server.emit("segment", body, room=SESSION_ID)

    return socketio.ASGIApp(server), tell


async def tell_all(tell: Tell, rate: float, seconds: float) -> tuple[int, float]:
    """How many lines were told, and the CPU seconds of it."""
    count = int(rate * seconds)
    cpu_s, began_s = time.process_time(), time.monotonic()
    for number in range(count):
        await asyncio.sleep(began_s + number / rate - time.monotonic())
        await tell(line())
    await asyncio.sleep(SETTLE_S)
    return count, time.process_time() - cpu_s


async def main() -> None:
    kind, data_dir = sys.argv[1], Path(sys.argv[2])
    app, tell = await (service if kind == "service" else plain_socket_io)(data_dir)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve([listener]))
    print(listener.getsockname()[1], flush=True)
    while order := await asyncio.to_thread(sys.stdin.readline):
        rate, seconds = map(float, order.split())
        count, cpu_s = await tell_all(tell, rate, seconds)
        print(count, cpu_s, flush=True)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    uvloop.run(main())
