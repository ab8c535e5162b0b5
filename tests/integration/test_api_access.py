"""Who gets in: key, tickets, browser sign-in, Origin and Host."""

import hashlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.doubles.api_server import ApiServer, api_server

KEY = "correct horse battery staple"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    access = {
        "api_key_sha256": hashlib.sha256(KEY.encode()).hexdigest(),
        "allowed_origins": ["https://app.example.org"],
    }
    async with api_server(tmp_path, server=access) as running:
        await running.session()
        yield running


@pytest.fixture
async def open_server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        await running.session()
        yield running


async def upgrade_status(server: ApiServer, query: str = "", **headers: str) -> int:
    """101, or the status that answered instead of an upgrade."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        async with server.live(query=query, headers=names):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


@pytest.mark.parametrize(
    "path",
    ["/api/sessions", "/api/services", "/openapi.json", "/static/app.js", "/nowhere"],
)
async def test_everything_wants_the_key(server: ApiServer, path: str) -> None:
    status, problem = await server.json("GET", path)

    assert (status, problem["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer", f"Basic {KEY}", KEY])
async def test_a_wrong_key_is_refused(server: ApiServer, authorization: str) -> None:
    headers = {"Authorization": authorization}

    assert (await server.json("GET", "/api/sessions", headers=headers))[0] == 401


async def test_health_is_open_to_all(server: ApiServer) -> None:
    assert (await server.json("GET", "/api/health"))[0] == 200


async def test_the_key_opens_routes_and_sockets(server: ApiServer) -> None:
    assert (await server.json("GET", "/api/sessions", headers=BEARER))[0] == 200
    assert await upgrade_status(server, **BEARER) == 101


async def test_a_socket_without_key_is_refused_before_the_upgrade(server: ApiServer) -> None:
    assert await upgrade_status(server) == 401
    assert await upgrade_status(server, "?ticket=invented") == 401


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}


async def test_a_refused_socket_is_told_why_and_no_error_of_the_service(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    status, problem = await server.json("GET", "/ws/live/s1", headers=UPGRADE)
    assert (status, problem["code"]) == (401, "not_authenticated")
    status, problem = await server.json("GET", "/ws/live/none", headers=UPGRADE | BEARER)
    assert (status, problem["code"]) == (404, "unknown_session")
    for path in ("/ws/none", "/api/sessions", "/static/app.js", "/none/"):
        status, problem = await server.json("GET", path, headers=UPGRADE | BEARER)
        assert (status, problem["code"], problem["status"]) == (404, "not_found", 404), path
    status, problem = await server.json("GET", "/ws/live/s1", headers=BEARER)
    assert (status, problem["code"]) == (426, "upgrade_required")
    assert [one.message for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_a_ticket_opens_one_socket_once(server: ApiServer) -> None:
    status, ticket = await server.json("POST", "/api/tickets", headers=BEARER)

    assert (status, ticket["expires_in"]) == (201, 60)
    assert await upgrade_status(server, f"?ticket={ticket['ticket']}&after=0") == 101
    assert await upgrade_status(server, f"?ticket={ticket['ticket']}") == 401


async def test_tickets_are_kept_as_hashes_only(server: ApiServer) -> None:
    _, ticket = await server.json("POST", "/api/tickets", headers=BEARER)

    hashed = hashlib.sha256(str(ticket["ticket"]).encode()).digest()
    assert list(server.archive.tickets) == [(hashed, "websocket")]


async def test_a_ticket_does_not_open_a_route(server: ApiServer) -> None:
    _, ticket = await server.json("POST", "/api/tickets", headers=BEARER)

    assert (await server.json("GET", f"/api/sessions?ticket={ticket['ticket']}"))[0] == 401


async def test_no_log_holds_a_ticket(
    server: ApiServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, logger="uvicorn.error")
    _, ticket = await server.json("POST", "/api/tickets", headers=BEARER)
    await upgrade_status(server, f"?ticket={ticket['ticket']}")

    assert "/ws/live/s1" in caplog.text
    written = caplog.text + "".join(capsys.readouterr())
    assert str(ticket["ticket"]) not in written
    assert KEY not in written


async def test_a_browser_signs_in_with_the_key_and_reads(server: ApiServer) -> None:
    for page in ("/", "/try", "/docs"):
        async with server.client.get(server.url + page) as response:
            assert response.status == 401
            assert "text/html" in response.headers["Content-Type"]
            assert "script-src 'sha256-" in response.headers["Content-Security-Policy"]
    async with server.client.post(server.url + "/api/sign-in", headers=BEARER) as response:
        cookie = response.headers["Set-Cookie"]
        assert response.status == 204
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    signed_in = {"Cookie": cookie.partition(";")[0]}
    async with server.client.get(server.url + "/", headers=signed_in) as response:
        assert response.status == 200
    own = {"Origin": f"http://{server.host}"}
    assert (await server.json("POST", "/api/sessions", json={}, headers=signed_in))[0] == 401
    assert (await server.json("POST", "/api/sessions", json={}, headers=signed_in | own))[0] == 201
    assert await upgrade_status(server, **signed_in) == 401
    assert await upgrade_status(server, **signed_in, **own) == 101


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_signing_in_takes_the_key(server: ApiServer, headers: dict[str, str]) -> None:
    assert (await server.json("POST", "/api/sign-in", headers=headers))[0] == 401


@pytest.mark.parametrize("cookie", ["orchestration_sign_in=invented", "a=b; ;;=,", 'a="b', "=;="])
async def test_an_invented_cookie_is_refused(server: ApiServer, cookie: str) -> None:
    assert (await server.json("GET", "/api/sessions", headers={"Cookie": cookie}))[0] == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://app.example.org", 101),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
async def test_pages_of_foreign_origins_may_not_open_sockets(
    server: ApiServer, origin: str, status: int
) -> None:
    assert await upgrade_status(server, **BEARER, Origin=origin) == status


async def test_foreign_pages_may_not_write_even_without_a_key(open_server: ApiServer) -> None:
    foreign = {"Origin": "https://evil.example"}

    assert (await open_server.json("POST", "/api/sessions", json={}, headers=foreign))[0] == 403
    broken = {"Origin": "http://[::1"}
    assert (await open_server.json("POST", "/api/sessions", json={}, headers=broken))[0] == 403
    assert await upgrade_status(open_server, **foreign) == 403
    assert await upgrade_status(open_server, Origin=f"http://{open_server.host}") == 101


async def test_without_a_key_only_this_machines_names_are_answered(open_server: ApiServer) -> None:
    async def status(host: str, path: str = "/api/sessions") -> int:
        return (await open_server.json("GET", path, headers={"Host": host}))[0]

    for foreign in ("evil.example", "10.0.0.1", "localhost.evil.example", "[", ""):
        assert await status(foreign) == 403
    for own in ("localhost:3000", "LOCALHOST", "127.0.0.2:80", "[::1]:3000"):
        assert await status(own) == 200
    assert await status("evil.example", "/api/health") == 200


async def test_one_socket_too_many_is_refused_before_the_upgrade(tmp_path: Path) -> None:
    async with api_server(tmp_path, server={"websocket_max_connections": 1}) as server:
        await server.session()
        async with server.live():
            assert await upgrade_status(server) == 429
