"""The service that documents are checked against: the real API over doubles, with something stored,
and with services behind its gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from orchestration.services.gateway import HttpGateway
from orchestration.services.gateway_pool import GatewayUpstream
from orchestration.storage.archive_ports import StoredSegment
from tests.doubles.api_server import ApiServer, api_server
from tests.storage_values import participant, segment

KEY = "the key of the documented service"
SESSION_ID = "weekly"
"""The session of the document's examples."""
DELETED_SESSION_ID = "to-be-deleted"


@asynccontextmanager
async def service_behind() -> AsyncIterator[str]:
    """A service that answers every request with 200 and JSON; yields its URL."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"method": request.method, "path": request.path})

    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def documented_service(data_dir: Path) -> AsyncIterator[ApiServer]:
    """Serve the API with a key and one stored session, `SESSION_ID`."""
    async with service_behind() as url:
        behind = [GatewayUpstream(url)]
        gateway = HttpGateway({"whisper": behind, "translation": behind}, timeout_s=5, tries=1)
        key_hash = sha256(KEY.encode()).hexdigest()
        async with api_server(
            data_dir,
            gateway=gateway,
            server={"api_key_sha256": key_hash},
            audio={"answer_within_s": 0.2},
        ) as server:
            await _fill(server)
            yield server


async def _fill(server: ApiServer) -> None:
    await server.session(SESSION_ID, title="Weekly", language="en", target_languages=("pt",))
    stored = server.archive.of(SESSION_ID)
    stored.segments += [StoredSegment(segment(number), ()) for number in (1, 2, 3)]
    stored.participants.append(participant())
