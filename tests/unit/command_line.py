"""The program as a user runs it, and a service that it talks to."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from click.testing import CliRunner, Result

from orchestration.cli import main
from tests.doubles.unreliable_service import UnreliableService, unreliable_service


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"ORCHESTRATION_API_KEY": "", **environ})


@contextmanager
def service_in_a_thread() -> Iterator[UnreliableService]:
    """The command runs a loop of its own, so the service needs another thread."""
    ready, started = threading.Event(), []
    stop: list[Any] = []

    async def serve() -> None:
        async with unreliable_service() as service:
            done = asyncio.Event()
            stop.extend((asyncio.get_running_loop(), done))
            started.append(service)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield started[0]
    finally:
        stop[0].call_soon_threadsafe(stop[1].set)
        thread.join()
