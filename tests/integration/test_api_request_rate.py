"""A client that asks too fast is told to wait; others, and supervisors, are not."""

from pathlib import Path

import aiohttp
import pytest

from tests.doubles.api_server import ApiServer, api_server

FAST = {"X-Forwarded-For": "192.0.2.1"}
OTHER = {"X-Forwarded-For": "192.0.2.2"}
TWO_AT_ONCE = {"max_requests_per_s": 1, "request_burst": 2}


async def status_of(server: ApiServer, path: str, headers: dict[str, str]) -> int:
    async with server.client.get(f"{server.url}{path}", headers=headers) as answer:
        return answer.status


async def open_viewers(server: ApiServer, count: int) -> None:
    for _ in range(count):
        await (await server.live(headers=FAST)).close()


async def test_one_request_too_many_gets_429_and_when_to_come_back(tmp_path: Path) -> None:
    async with api_server(tmp_path, server=TWO_AT_ONCE) as server:
        for _ in range(100):
            async with server.client.get(f"{server.url}/api/config", headers=FAST) as answer:
                problem, headers = await answer.json(), answer.headers
            if answer.status != 200:
                break
        assert answer.status == 429
        assert (problem["code"], problem["limit"]) == ("limit_reached", "max_requests_per_s")
        assert headers["Retry-After"] == "1"
        assert headers["Content-Type"] == "application/problem+json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert await status_of(server, "/api/config", OTHER) == 200
        for path in ("/api/health", "/api/metrics", "/metrics"):
            for _ in range(3):
                assert await status_of(server, path, FAST) == 200
        for _ in range(4):
            assert await status_of(server, "/api/config", {}) == 200


async def test_a_handshake_is_a_request_and_the_messages_behind_it_are_not(tmp_path: Path) -> None:
    async with api_server(tmp_path, server=TWO_AT_ONCE) as server:
        await server.session()
        async with server.live(headers=FAST) as viewer:
            await viewer.receive_str()
            for _ in range(5):
                await viewer.send_json({"type": "ping", "t": 1})
                assert (await viewer.receive_json())["type"] == "pong"
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await open_viewers(server, 100)
        assert refused.value.status == 429
