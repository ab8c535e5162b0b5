"""A gateway over two services that do as a test says: real HTTP on both sides."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from orchestration.services.gateway import HttpGateway
from orchestration.services.gateway_pool import GatewayUpstream
from tests.doubles.api_server import ApiServer, api_server

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Upstream:
    """A service behind; it keeps what it was asked."""

    url: str
    respond: Handler
    asked: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


async def echo(request: web.Request) -> web.StreamResponse:
    """What came, as JSON."""
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
        }
    )


@contextlib.asynccontextmanager
async def upstream(respond: Handler = echo) -> AsyncIterator[Upstream]:
    one = Upstream("", respond)

    async def handle(request: web.Request) -> web.StreamResponse:
        one.asked.append(request)
        one.bodies.append(await request.read())
        return await one.respond(request)

    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = "http://{}:{}/base".format(*runner.addresses[0][:2])
    try:
        yield one
    finally:
        await runner.cleanup()


@dataclass
class Scene:
    """A gateway over two whisper services."""

    api: ApiServer
    gateway: HttpGateway
    first: Upstream
    second: Upstream

    @property
    def asked(self) -> int:
        return len(self.first.asked) + len(self.second.asked)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, bytes]:
        async with self.api.client.request(method, self.api.url + path, **options) as response:
            return response.status, response.headers, await response.read()


@contextlib.asynccontextmanager
async def gateway_scene(data_dir: Path) -> AsyncIterator[Scene]:
    async with upstream() as first, upstream() as second:
        pool = [GatewayUpstream(first.url, 3, "their-own-key"), GatewayUpstream(second.url, 1)]
        gateway = HttpGateway({"whisper": pool}, timeout_s=30, tries=3)
        async with api_server(data_dir, gateway=gateway) as api:
            yield Scene(api, gateway, first, second)
