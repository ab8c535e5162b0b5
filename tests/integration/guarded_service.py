"""The real service over whisper services of the test's, to break things in.

Ray reads its settings when it is imported, so whoever uses this is a script.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

import serve_app
from actors.names import NAMESPACE, ask
from orchestration.client.api import OrchestrationClient
from orchestration.config.models import Settings
from orchestration.errors import JsonObject, OrchestrationError
from tests.doubles.whisper_server import WhisperDouble

LIMIT_S = 120.0
POLL_S = 0.25

ABANDONED_AFTER_S = 10


@contextlib.contextmanager
def served(*doubles: WhisperDouble) -> Iterator[None]:
    """The doubles, served by a thread of their own while this one waits for Ray."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(30)

    for one in doubles:
        call(one.__aenter__())
    try:
        yield
    finally:
        for one in doubles:
            call(one.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def openai(double: WhisperDouble, weight: int = 1) -> JsonObject:
    """A double as a service of the whisper pool."""
    return {"url": double.url, "kind": "openai", "weight": weight}


@contextlib.contextmanager
def running(data_dir: Path, *whisper: WhisperDouble) -> Iterator[tuple[Settings, str]]:
    """The service with the diarizer on and no warm actors; its settings and its URL."""
    settings = Settings.model_validate(
        {
            "data_dir": data_dir,
            "server": {"port": 0},
            "sessions": {"warm_actors": 0, "abandoned_after_s": ABANDONED_AFTER_S},
            "services": {
                "whisper": [openai(one) for one in whisper],
                "translation": [{"url": "http://127.0.0.1:9", "kind": "libretranslate"}],
                "diarizer": "embedded",
                "health_check_interval_s": 1,
            },
        }
    )
    service = serve_app.Service(settings)
    urls = service.start(lambda _: None)
    try:
        yield settings, urls.api
    finally:
        service.stop()


async def until(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Whether it came to hold."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            while not await holds():  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(POLL_S)
            return True
    return False


async def applied(client: OrchestrationClient, change: JsonObject) -> bool:
    """Change settings; whether everybody came to work by them."""
    changed: Any = await client.change_settings(change)

    async def everywhere() -> bool:
        state: Any = await client.settings()
        return all(one["version"] >= changed["version"] for one in state["applied"])

    return await until(everywhere)


async def dashboard(client: OrchestrationClient) -> Any:
    """The figures of the whole service."""
    return await client._json("GET", "/api/dashboard")


async def metric(client: OrchestrationClient, name: str) -> dict[str, float]:
    """A metric's values by its first label, as Prometheus would read them."""
    async with client._request("GET", "/metrics") as response:
        families = list(text_string_to_metric_families(await response.text()))
    return {
        next((value for key, value in one.labels.items() if key != "node"), ""): one.value
        for family in families
        for one in family.samples
        if one.name == name
    }


async def alerts(client: OrchestrationClient) -> set[tuple[str, str]]:
    """Code and subject of what holds."""
    held: Any = await client.alerts()
    return {(one["code"], one["subject"]) for one in held["items"]}


async def located(session_id: str) -> str:
    """The name of a session's actor."""
    import ray

    coordinator: Any = ray.get_actor("coordinator", NAMESPACE)
    return str(await ask(coordinator.locate.remote(session_id), "coordinator"))


def processes(data_dir: Path, title: str) -> set[int]:
    """Processes of this service's Ray by the beginning of their titles."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if (
                command
                and command[0].startswith(title)
                and process.environ().get("ORCHESTRATION_DATA_DIR", "") == str(data_dir)
            ):
                found.add(process.pid)
    return found


def signal_all(pids: set[int], number: int) -> None:
    """Send each of them a signal; one that is gone has had it."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def answered(call: Awaitable[Any]) -> bool:
    """Whether a call has an answer, and not an error."""
    try:
        await call
    except OrchestrationError:
        return False
    return True
