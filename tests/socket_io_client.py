"""A client of Socket.IO that keeps every event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import socketio

from tests.doubles.api_server import ApiServer


class Client:
    """A client that keeps every event."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.io = socketio.AsyncClient(reconnection=False, http_session=http)
        self.told: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.io.on("*", self._on_event)
        self.io.on("disconnect", self._on_disconnect)

    async def _on_event(self, event: str, *arguments: Any) -> None:
        self.told.put_nowait((event, arguments[0] if arguments else None))

    async def _on_disconnect(self, *_: Any) -> None:
        self.gone.set()

    async def next(self, event: str) -> Any:
        """The next event of this name; the ones before it are let go."""
        async with asyncio.timeout(60):
            while True:
                name, body = await self.told.get()
                if name == event:
                    return body

    async def message(self, **body: Any) -> Any:
        return await self.io.call("service_message", body, timeout=10)


@asynccontextmanager
async def connected(server: ApiServer, **headers: str) -> AsyncIterator[Client]:
    client = Client(server.client)
    await client.io.connect(server.url, headers=headers, transports=["websocket"], wait_timeout=10)
    try:
        yield client
    finally:
        await client.io.disconnect()
