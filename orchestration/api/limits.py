"""Middleware: how much a caller may bring, how often it may ask, and how many WebSockets it has."""

import asyncio
import re
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.api.audio_chunk_routes import CHUNK_PATH
from orchestration.api.audio_uploads import LARGEST_BODY_BYTES, UPLOAD_PATH
from orchestration.api.connections import (
    MAX_AGENT_CHARACTERS,
    Connection,
    ConnectionRegistry,
    Traffic,
)
from orchestration.api.counted_body import check_length, counted, too_large
from orchestration.api.gateway import GATEWAY_PREFIXES, MAX_GATEWAY_BODY_BYTES
from orchestration.api.openai import MAX_UPLOAD_BYTES, TRANSCRIPTIONS_PATH
from orchestration.api.problems import problem_for
from orchestration.api.request_rate import RequestBuckets
from orchestration.errors import BodyTooSlow, LimitReached, TooLarge
from orchestration.process_clock import monotonic_ms, unix_time_ms

MAX_BODY_BYTES = 65_536
BODY_LIMIT = "max_body_bytes"
"""The limit's name in a refusal, whatever it is for the path."""
LARGE_BODIES = {
    TRANSCRIPTIONS_PATH: MAX_UPLOAD_BYTES,
    UPLOAD_PATH: LARGEST_BODY_BYTES,
    CHUNK_PATH: LARGEST_BODY_BYTES,
    **dict.fromkeys(GATEWAY_PREFIXES, MAX_GATEWAY_BODY_BYTES),
}
"""Beginnings of paths that take more, in bytes: they read their body themselves, as it comes."""
BODY_TIMEOUT_S = 30
"""How long a body may take to arrive."""
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

UNLIMITED_PATHS = frozenset({"/api/health", "/api/metrics", "/metrics"})
"""Supervisors ask these, however busy a client is that shares their address."""

_SESSION_PATH = re.compile(r"/ws/(?P<kind>ingest|live)/(?P<session_id>[A-Za-z0-9_-]{1,64})")


class BodyLimit:
    """Takes a body in whole, within limits, before the application sees the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in BODY_METHODS:
            await self._app(scope, receive, send)
            return
        if (limit := _large_limit(scope["path"])) is not None:
            await self._counting(limit, scope, receive, send)
            return
        try:
            check_length(scope, MAX_BODY_BYTES, BODY_LIMIT)
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read_body(receive)
        except TooLarge as error:
            await problem_for(error)(scope, receive, send)
            return
        except TimeoutError:
            late = BodyTooSlow(
                f"The body did not come within {BODY_TIMEOUT_S} s.",
                {"limit": "body_timeout_s", "max": BODY_TIMEOUT_S},
            )
            await problem_for(late)(scope, receive, send)
            return
        if body is None:
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)

    async def _counting(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            check_length(scope, limit, BODY_LIMIT)
        except TooLarge as error:
            await problem_for(error)(scope, receive, send)
            return
        await self._app(scope, counted(receive, limit, BODY_LIMIT), send)


def _large_limit(path: str) -> int | None:
    return next((size for begin, size in LARGE_BODIES.items() if path.startswith(begin)), None)


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None of a caller that went away before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise too_large(MAX_BODY_BYTES, BODY_LIMIT)
        if not message.get("more_body", False):
            return bytes(body)


class RequestRate:
    """Refuses, with 429, requests and handshakes that come faster than their client may ask.

    It stands before the key is looked at, so that keys are not guessed any faster.
    """

    def __init__(self, app: ASGIApp, buckets: RequestBuckets) -> None:
        self._app = app
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in UNLIMITED_PATHS:
            await self._app(scope, receive, send)
            return
        wait_ms = self._buckets.take(_address(scope), monotonic_ms())
        if not wait_ms:
            await self._app(scope, receive, send)
            return
        most = self._buckets.per_s
        error = LimitReached(
            f"A client may make {most} requests a second; wait before the next.",
            {"limit": "max_requests_per_s", "max": most},
        )
        response = problem_for(error)
        response.headers["Retry-After"] = str(-(-wait_ms // 1000))
        await response(scope, receive, send)


class WebSocketGate:
    """Lets WebSockets in as far as the registry allows, and counts their messages.

    One too many gets 429 before the upgrade.
    """

    def __init__(self, app: ASGIApp, registry: ConnectionRegistry) -> None:
        self._app = app
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        connection = _connection(scope)
        try:
            self._registry.open(connection)
        except LimitReached as error:
            await problem_for(error)(scope, receive, send)
            return

        scope["orchestration.connection"] = connection

        async def counted_receive() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                _count(message, connection.received, self._registry.received)
            return message

        async def counted_send(message: Message) -> None:
            if message["type"] == "websocket.send":
                _count(message, connection.sent, self._registry.sent)
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            self._registry.close(connection)


def _connection(scope: Scope) -> Connection:
    """What is known of a WebSocket from its handshake."""
    found = _SESSION_PATH.fullmatch(scope["path"])
    return Connection(
        connection_id=uuid4().hex,
        kind=found["kind"] if found else _kind(scope["path"]),
        address=_address(scope),
        agent=Headers(scope=scope).get("user-agent", "")[:MAX_AGENT_CHARACTERS],
        session_id=found["session_id"] if found else None,
        since_unix_ms=unix_time_ms(),
    )


def _address(scope: Scope) -> str:
    """The client's; of one behind this machine's proxy, what the proxy says."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _kind(path: str) -> str:
    return "socket_io" if path.startswith("/socket.io") else "other"


def _count(message: Message, *ways: Traffic) -> None:
    size, now_ms = len(message.get("bytes") or message.get("text") or ""), unix_time_ms()
    for traffic in ways:
        traffic.count(size, now_ms)
