"""Who is connected, as HTTP tells it."""

from pathlib import Path

import aiohttp
import pytest

from orchestration.json_types import JsonObject
from tests.doubles.api_server import api_server


def listed(body: JsonObject) -> list[JsonObject]:
    connections = body["connections"]
    assert isinstance(connections, list)
    return [one for one in connections if isinstance(one, dict)]


async def test_every_socket_is_listed_with_what_went_either_way(tmp_path: Path) -> None:
    async with api_server(tmp_path) as server:
        await server.session("s1")
        await server.session("s2")
        agent = {"User-Agent": "bot/1.0"}
        async with server.live("s1", headers=agent) as viewer, server.ingest("s2"):
            snapshot = await viewer.receive_str()
            await viewer.send_str('{"type":"ping","t":1}')
            pong = await viewer.receive_str()
            status, body = await server.json("GET", "/api/websocket/connections")
            _, of_one = await server.json("GET", "/api/websocket/connections?session_id=s1")
            _, stats = await server.json("GET", "/api/websocket/stats")

    assert (status, body["total"]) == (200, 2)
    first = listed(of_one)[0]
    assert {
        "kind": "live",
        "address": "127.0.0.1",
        "user_agent": "bot/1.0",
        "session_id": "s1",
        "messages_in": 1,
        "messages_out": 2,
        "bytes_in": 21,
        "bytes_out": len(snapshot) + len(pong),
    }.items() <= first.items()
    assert {
        "active_connections": 2,
        "peak_connections": 2,
        "total_connections": 2,
        "refused_connections": 0,
        "connections_by_kind": {"live": 1, "ingest": 1},
        "sessions": 2,
        "addresses": 1,
        "messages_in": 1,
        "messages_out": 2,
        "replicas": 1,
    }.items() <= stats.items()


async def test_who_has_left_is_not_listed_but_counted(tmp_path: Path) -> None:
    async with api_server(tmp_path, server={"websocket_max_connections": 1}) as server:
        session = await server.session()
        async with server.live() as viewer:
            await viewer.receive_str()
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await server.live()
            session.complete()
            while (await viewer.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        async with server.live() as last:
            await last.receive_str()
            await last.receive()
        _, body = await server.json("GET", "/api/websocket/connections")
        _, stats = await server.json("GET", "/api/websocket/stats")

    assert body["connections"] == []
    assert (stats["active_connections"], stats["total_connections"]) == (0, 2)
    assert (stats["refused_connections"], stats["peak_connections"]) == (1, 1)


async def test_the_address_is_the_one_that_the_own_proxy_names(tmp_path: Path) -> None:
    async with api_server(tmp_path, server={"websocket_max_per_address": 1}) as server:
        await server.session()
        one = {"X-Forwarded-For": "192.0.2.1"}
        async with server.live(headers=one):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await server.live(headers=one)
            async with server.live(headers={"X-Forwarded-For": "192.0.2.2"}):
                _, body = await server.json("GET", "/api/websocket/connections")

    assert refused.value.status == 429
    assert [one["address"] for one in listed(body)] == ["192.0.2.1", "192.0.2.2"]
