"""An HTTP server on loopback that can be told to misbehave."""

import asyncio
from types import TracebackType
from typing import Literal, Self

from aiohttp import web

FaultMode = Literal[
    "ok",
    "server_error",
    "overloaded",
    "hang",
    "slow",
    "garbage",
    "truncated",
    "html",
    "oversize",
    "disconnect",
]

SLOW_S = 0.2
"""How long `slow` takes before it answers as `ok` does."""

OVERSIZE_BYTES = 5 * 1024 * 1024

RETRY_AFTER_S = 7


class FaultyServer:
    """An async context manager; `mode` may be changed at any time, for the requests to come.

    `raw`, where it is set, is the body of every `ok` answer; `retry_headers` are of `overloaded`.
    """

    def __init__(self) -> None:
        self.mode: FaultMode = "ok"
        self.slow_s = SLOW_S
        self.raw: bytes | None = None
        self.retry_headers = {"Retry-After": str(RETRY_AFTER_S)}
        self.app = web.Application(client_max_size=64 * 1024 * 1024)
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self._url = ""

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self._url

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def respond(self, request: web.Request, answer: object) -> web.StreamResponse:
        """The answer as JSON, or what the mode makes of it."""
        match self.mode:
            case "server_error":
                return web.json_response({"error": "out of memory"}, status=500)
            case "overloaded":
                body = {"error": "slow down"}
                return web.json_response(body, status=429, headers=self.retry_headers)
            case "garbage":
                return web.Response(body=b"\x00\xff\x17not json", content_type="application/json")
            case "truncated":
                whole = web.json_response(answer)
                assert isinstance(whole.text, str)
                return web.Response(text=whole.text[:-5], content_type="application/json")
            case "html":
                return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
            case "oversize":
                return web.Response(body=b" " * OVERSIZE_BYTES, content_type="application/json")
            case "disconnect":
                assert request.transport is not None
                request.transport.abort()
            case "hang":
                await self._closing.wait()
            case "slow":
                await asyncio.sleep(self.slow_s)
            case "ok":
                pass
        if self.raw is not None:
            return web.Response(body=self.raw, content_type="application/json")
        return web.json_response(answer)
