"""The API under a real uvicorn on the loopback, over in-memory doubles at its two ports."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from orchestration.api.app import create_api
from orchestration.api.gateway import Gateway
from orchestration.api.ports import Sessions
from orchestration.api.roll_call import RollCall
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.json_types import JsonObject
from orchestration.logs import configure_logs
from orchestration.services.gateway import HttpGateway
from orchestration.storage.data_ports import DataArchive
from orchestration.storage.settings_ports import SettingsStore
from orchestration.storage.values import SessionSpec
from tests.doubles.in_memory_archive import InMemoryArchive
from tests.doubles.in_memory_sessions import InMemorySession, InMemorySessions
from tests.doubles.local_figures import LocalFigures
from tests.doubles.local_settings import LocalSettings
from tests.doubles.scripted_engines import ScriptedEngines

POLL_S = 0.002
"""How often a stopping server looks whether its connections are closed."""


class _Server(uvicorn.Server):
    """It stops at once: uvicorn's own looks ten times a second whether it is to, and whether all is
    closed, which hundreds of tests would wait for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.to_stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.to_stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(POLL_S)
        await self.lifespan.shutdown()


@dataclass
class ApiServer:
    """A running API, what lies behind it, and a client that speaks to it."""

    host: str
    archive: InMemoryArchive
    sessions: InMemorySessions
    engines: ScriptedEngines
    client: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    async def session(self, session_id: str = "s1", **spec: Any) -> InMemorySession:
        """A running session, made behind the API."""
        await self.sessions.create(SessionSpec(session_id, **spec))
        return self.sessions.running[session_id]

    def ingest(self, session_id: str = "s1", **options: Any) -> Any:
        return self.client.ws_connect(f"{self.url}/ws/ingest/{session_id}", **options)

    def live(self, session_id: str = "s1", query: str = "", **options: Any) -> Any:
        return self.client.ws_connect(f"{self.url}/ws/live/{session_id}{query}", **options)

    async def json(self, method: str, path: str, **options: Any) -> tuple[int, JsonObject]:
        """Status and JSON body of one request."""
        async with self.client.request(method, self.url + path, **options) as response:
            body: JsonObject = await response.json(content_type=None) or {}
            return response.status, body


@asynccontextmanager
async def api_server(
    data_dir: Path,
    *,
    gateway: Gateway | None = None,
    measures: LocalFigures | None = None,
    store: SettingsStore | None = None,
    **settings: Any,
) -> AsyncIterator[ApiServer]:
    """Serve the API over doubles with these settings; the page is a one-line index.html."""
    archive = InMemoryArchive()
    sessions = InMemorySessions(archive)
    engines = ScriptedEngines()
    async with (
        served(data_dir, sessions, archive, engines, gateway, measures, store, **settings) as host,
        aiohttp.ClientSession() as client,
    ):
        yield ApiServer(host, archive, sessions, engines, client)


@asynccontextmanager
async def served(
    data_dir: Path,
    sessions: Sessions,
    archive: DataArchive,
    engines: ScriptedEngines | None = None,
    gateway: Gateway | None = None,
    measures: LocalFigures | None = None,
    store: SettingsStore | None = None,
    roll_call: RollCall | None = None,
    **settings: Any,
) -> AsyncIterator[str]:
    """Serve the API over any sessions, archive, engines and gateway; yields its host and port."""
    configure_logs("INFO")
    web_dir = data_dir / "web"
    web_dir.mkdir()
    (web_dir / "index.html").write_text("<!doctype html><title>live</title>")
    (web_dir / "try.html").write_text("<!doctype html><title>try</title>")
    (web_dir / "app.js").write_text("export {};")
    engines = engines or ScriptedEngines()
    gateway = gateway or HttpGateway({}, timeout_s=1, tries=1)
    measures = measures or LocalFigures()
    roll_call = roll_call or RollCall()
    current = CurrentSettings(Settings(data_dir=data_dir, **settings))
    control = LocalSettings(current, store)
    await control.desk.restore()
    app = create_api(
        current, control, sessions, archive, engines, gateway, measures, roll_call, web_dir
    )
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on")
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await server.ready.wait()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.to_stop.set()
        await serving
        listener.close()
