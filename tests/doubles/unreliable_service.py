"""A service for clients to talk to that loses connections as its script says.

Ingest cuts a connection after so many frames; live sends one scripted part per connection.
"""

import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

HEADER = struct.Struct(">BBHQQ")


class Page(str):
    """An answer that is HTML."""


class UnreliableService:
    """Holds what it was sent; `cuts` are the frames after which connections die, in order."""

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self.live_parts: list[tuple[Sequence[dict[str, Any] | str], int | None]] = []
        """For each live connection: its messages, and the code to close it with; without one the
        connection stays silent until its client closes it."""
        self.live_queries: list[str | None] = []
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.authorization: str | None = None
        self.refusal: int | None = None
        """The status by which live connections are refused before their upgrade."""
        self.redirects: str | None = None
        """Where every request is sent on to."""
        self.payloads: dict[int, list[bytes]] = {}
        self.facts: list[dict[str, Any]] = []
        self.connections = 0
        self.url = ""

    async def ingest(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.connections += 1
        frames_left = self.cuts.pop(0) if self.cuts else None
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                if frames_left == 0:
                    if request.transport is not None:
                        request.transport.abort()
                    break
                frames_left = None if frames_left is None else frames_left - 1
                await self._frame(socket, message.data)
            else:
                await self._text(socket, json.loads(message.data))
        return socket

    async def _frame(self, socket: web.WebSocketResponse, data: bytes) -> None:
        _, _, stream, seq, _ = HEADER.unpack_from(data)
        stored = self.payloads[stream]
        assert seq <= len(stored), "a frame was skipped"
        if seq == len(stored):
            stored.append(data[HEADER.size :])
        ack = {"id": stream, "upto": len(stored) - 1, "window": 20}
        await socket.send_json({"type": "ack", "streams": [ack], "facts": len(self.facts) - 1})

    async def _text(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        match message["type"]:
            case "hello":
                await socket.send_json(self._welcome(message))
            case "ping":
                await socket.send_json({"type": "pong", "t": message["t"]})
            case "end":
                coverage: dict[str, Any] = {"streams": []}
                await socket.send_json({"type": "ended", "coverage": coverage})
                await socket.close(code=1000)
            case _:
                if message["fact"] == len(self.facts):
                    self.facts.append(message)

    def _welcome(self, hello: dict[str, Any]) -> dict[str, Any]:
        for stream in hello["streams"]:
            self.payloads.setdefault(stream["id"], [])
        positions = [
            {
                "id": stream,
                "next_seq": len(stored),
                "next_sample": sum(len(payload) for payload in stored) // 2,
                "window": 20,
            }
            for stream, stored in self.payloads.items()
        ]
        return {"type": "welcome", "streams": positions, "next_fact": len(self.facts), "epoch": 1}

    async def live(self, request: web.Request) -> web.WebSocketResponse:
        self.live_queries.append(request.query.get("after"))
        if self.refusal is not None:
            raise web.HTTPUnauthorized() if self.refusal == 401 else web.HTTPServiceUnavailable()
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        messages, close_code = self.live_parts.pop(0)
        for message in messages:
            await socket.send_str(message if isinstance(message, str) else json.dumps(message))
        if close_code is None:
            await socket.receive()
        else:
            await socket.close(code=close_code)
        return socket

    async def answer(self, request: web.Request) -> web.Response:
        self.authorization = request.headers.get("Authorization")
        if self.redirects is not None and request.path != "/elsewhere":
            raise web.HTTPFound(self.redirects)
        body = await request.json() if request.can_read_body else dict(request.query)
        self.requests.append((request.method, request.path, body))
        status, answer = self.answers.get((request.method, request.path), (404, {}))
        if isinstance(answer, Page):
            return web.Response(status=status, text=answer, content_type="text/html")
        if isinstance(answer, str | bytes):
            return web.Response(status=status, body=answer)
        return web.json_response(answer, status=status)


@asynccontextmanager
async def served_by(*routes: web.AbstractRouteDef) -> AsyncIterator[str]:
    """A service of these routes on a port of the loopback; yields its address."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def unreliable_service() -> AsyncIterator[UnreliableService]:
    """The service on a port of the loopback."""
    service = UnreliableService()
    async with served_by(
        web.get("/ws/ingest/{session_id}", service.ingest),
        web.get("/ws/live/{session_id}", service.live),
        web.route("*", "/{path:.*}", service.answer),
    ) as service.url:
        yield service
