"""What the gateway refuses before it reaches a service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestration.api import gateway as gateway_routes
from tests.doubles.api_server import ApiServer
from tests.integration.gateway_scene import Scene, gateway_scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with gateway_scene(tmp_path) as there:
        yield there


HOSTILE_TARGETS = [
    "/api/whisper/../secret",
    "/api/whisper/a/../../secret",
    "/api/whisper/..",
    "/api/whisper/.",
    "/api/whisper/%2e%2e/secret",
    "/api/whisper/%2E%2E%2Fsecret",
    "/api/whisper/.%2e/secret",
    "/api/whisper/%252e%252e/secret",
    "/api/whisper/%25252e%25252e/secret",
    "/api/whisper/..;/secret",
    "/api/whisper/..%3bx/secret",
    "/api/whisper/a%2fb",
    "/api/whisper/a%252fb",
    "/api/whisper/a\\b",
    "/api/whisper/a%5cb",
    "/api/whisper/http://127.0.0.1/",
    "/api/whisper//evil.example/x",
    "/api/whisper///x",
    "/api/whisper/a%00b",
    "/api/whisper/a%0d%0aX-Evil:%201",
    "/api/whisper/a%0ab",
    "/api/whisper/a%7fb",
    "/api/whisper/%ff",
    "/api/whisper/a%23b",
    "/api/whisper/a%3fb",
    "/api/whisper/" + "a" * 2100,
    "/api/whisper/x?" + "q" * 8300,
    "/api/%77hisper/x",
    "/api/whisper%2fx",
    "/api/other/x",
    "/api/whisper/\u00e4".encode().decode("latin-1"),
]
HOSTILE_REQUESTS = [
    ("TRACE /api/whisper/x", "", b""),
    ("PATCH /api/whisper/x", "Content-Length: 0", b""),
    ("CONNECT /api/whisper/x", "", b""),
    ("GET http://evil.example/api/whisper/x", "", b""),
    ("GET /api/whisper/x", "Upgrade: h2c\r\nConnection: Upgrade", b""),
    ("POST /api/whisper/x", "Content-Length: 999999999999", b""),
    ("POST /api/whisper/x", "Content-Length: -1", b""),
    ("POST /api/whisper/x", "Content-Length: 1\r\nContent-Length: 2", b"ab"),
    ("POST /api/whisper/x", "Transfer-Encoding: chunked", b"ZZ\r\n"),
    ("POST /api/whisper/x", "Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    ("GET /api/whisper/x", "Host: evil.example", b""),
    ("POST /api/whisper/x", "Origin: https://evil.example\r\nContent-Length: 0", b""),
    ("GET /api/whisper/x", "X-Folded: a\r\n b\r\nX\x00: c", b""),
    ("GET /api/whisper/x", "Bad Header: 1", b""),
]


async def raw(server: ApiServer, request: bytes) -> bytes:
    """The answer to bytes as they are; no client library tidies them up."""
    host, port = server.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as broken_off:
        return broken_off.partial
    finally:
        writer.close()


@pytest.mark.parametrize("target", HOSTILE_TARGETS)
async def test_a_hostile_path_is_refused_and_reaches_no_service(scene: Scene, target: str) -> None:
    line = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = await raw(scene.api, line.encode("latin-1"))
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404")), answer[:200]
    assert scene.asked == 0


@pytest.mark.parametrize(("line", "headers", "body"), HOSTILE_REQUESTS)
async def test_a_hostile_request_is_refused_and_reaches_no_service(
    scene: Scene, line: str, headers: str, body: bytes
) -> None:
    host = "evil.example" if "evil" in line else "localhost"
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", *filter(None, [headers])])
    answer = await raw(scene.api, head.encode() + b"\r\n\r\n" + body)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert scene.asked == 0


async def test_a_body_over_the_limit_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.api.limits.LARGE_BODIES", {"/api/whisper/": 100_000})
    status, _, body = await scene.ask("POST", "/api/whisper/x", data=b"x" * 100_001)
    assert (status, b"100000" in body) == (413, True)
    assert gateway_routes.MAX_GATEWAY_BODY_BYTES == 100 * 2**20
