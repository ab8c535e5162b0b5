"""Socket.IO, spoken by a real client of it over a real server."""

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.api import health, socket_io_client
from orchestration.health.report import ServiceStatus
from tests.doubles.api_server import ApiServer, api_server
from tests.socket_io_client import connected

KEY = "correct horse battery staple"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path, live={"viewer_queue_events": 20}) as running:
        yield running


async def test_a_client_is_greeted_and_its_heartbeats_answered(server: ApiServer) -> None:
    async with connected(server) as client:
        greeting = await client.next("connected")
        ack = await client.message(type="heartbeat")
        answer = await client.next("heartbeat_response")

    assert greeting["status"] == "connected"
    assert greeting.keys() == {"session_id", "status", "server_time"}
    assert answer == ack
    assert answer["status"] == "ok"


async def test_services_are_subscribed_to_and_asked(server: ApiServer) -> None:
    async with connected(server) as client:
        await client.io.emit("subscribe", {"service": "database"})
        assert await client.next("subscribed") == {"service": "database", "status": "healthy"}
        await client.io.emit("subscribe", {"service": "nobody"})
        assert (await client.next("error"))["code"] == "unknown_service"
        await client.message(type="service_request", target_service="whisper", action="get_health")
        answer = await client.next("service_response")

    assert (answer["source_service"], answer["response_to"]) == ("whisper", "get_health")
    assert answer["data"]["status"] == "healthy"


async def test_whoever_subscribed_to_a_service_is_told_of_its_later_changes(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_io_client, "STATUS_INTERVAL_S", 0.02)
    monkeypatch.setattr(health, "REFRESH_S", 0.0)
    async with connected(server) as client:
        await client.io.emit("subscribe", {"service": "database"})
        await client.next("subscribed")
        report = server.sessions.report
        statuses: tuple[ServiceStatus, ...] = ("unhealthy", "recovering")
        for status in statuses:
            part = replace(report.services[0], status=status)
            server.sessions.report = replace(report, services=(part,))
            told = await client.next("service_status")
            assert (told["service"], told["status"]) == ("database", status)


async def test_a_text_is_translated(server: ApiServer) -> None:
    async with connected(server) as client:
        await client.io.emit("translation_stream", {"text": "Hello world", "target_lang": "es"})
        await client.next("translation_received")
        answer = await client.next("translation_result")

    assert (answer["translated_text"], answer["target_language"]) == ("Hello world (es)", "es")


async def test_who_joins_a_session_is_told_what_its_viewers_are(server: ApiServer) -> None:
    session = await server.session("s1", title="Weekly")
    async with connected(server) as client:
        assert await client.message(type="join_session", session_id="s1") == {
            "status": "joined",
            "session_id": "s1",
        }
        assert (await client.next("snapshot"))["session"]["title"] == "Weekly"
        for number in range(3):
            session.emit("alert", {"level": "info", "code": "test", "message": str(number)})
        assert [(await client.next("alert"))["seq"] for _ in range(3)] == [1, 2, 3]

        await client.message(type="leave_session")
        session.emit("alert", {"level": "info", "code": "test", "message": "unheard"})
        await client.message(type="join_session", session_id="s1", after=2)
        assert await client.next("resumed") == {"type": "resumed", "after": 2, "seq": 4}
        assert [(await client.next("alert"))["seq"] for _ in range(2)] == [3, 4]
        session.complete()
        assert (await client.next("status"))["status"] == "completed"
        assert (await client.message(type="heartbeat"))["status"] == "ok"


async def test_a_session_that_is_not_there_is_said_so(server: ApiServer) -> None:
    async with connected(server) as client:
        for session_id in ("none", "../x", "", 7):
            ack = await client.message(type="join_session", session_id=session_id)
            assert ack["code"] in ("unknown_session", "bad_request")


async def test_without_the_key_nobody_connects(tmp_path: Path) -> None:
    access = {"api_key_sha256": hashlib.sha256(KEY.encode()).hexdigest()}
    async with api_server(tmp_path, server=access) as server:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(socketio.exceptions.ConnectionError):
                async with connected(server, **headers):
                    pass
        async with connected(server, Authorization=f"Bearer {KEY}") as client:
            await client.next("connected")


async def test_pages_of_other_origins_do_not_connect(server: ApiServer) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError):
        async with connected(server, Origin="https://evil.example"):
            pass


async def test_long_polling_is_told_what_to_use_instead(server: ApiServer) -> None:
    status, problem = await server.json("GET", "/socket.io/?EIO=4&transport=polling")

    assert (status, problem["code"], problem["transports"]) == (400, "bad_request", ["websocket"])


async def test_clients_are_among_the_connections(server: ApiServer) -> None:
    async with connected(server) as client:
        await client.next("connected")
        _, stats = await server.json("GET", "/api/websocket/stats")

    assert stats["connections_by_kind"] == {"socket_io": 1}


async def test_a_client_that_says_nothing_for_too_long_is_let_go(tmp_path: Path) -> None:
    limits = {"websocket_idle_timeout_s": 1, "socket_io_ping_interval_s": 1}
    async with (
        api_server(tmp_path, server=limits) as server,
        connected(server) as client,
        asyncio.timeout(60),
    ):
        await client.gone.wait()


async def raw(server: ApiServer) -> aiohttp.ClientWebSocketResponse:
    """A connected client, by hand."""
    socket = await server.client.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket")
    assert (await socket.receive_str())[0] == "0"
    await socket.send_str("40")
    assert (await socket.receive_str())[:2] == "40"
    assert "connected" in await socket.receive_str()
    return socket


@pytest.mark.parametrize(
    "packet",
    [
        "42",
        "42[",
        "42{}",
        "42[1",
        "4" + "[" * 5000,
        "42" + "[" * 5000,
        "4599999-[]",
        "44",
        "49",
        "40",
        "",
        "x",
        "b!",
        "7",
    ],
)
async def test_what_is_not_socket_io_ends_its_connection_alone(
    server: ApiServer, packet: str
) -> None:
    async with connected(server) as other:
        socket = await raw(server)
        await socket.send_str(packet)
        async with asyncio.timeout(60):
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert socket.close_code == 4000
        assert (await other.message(type="heartbeat"))["status"] == "ok"


async def test_a_viewer_that_reads_late_has_lost_passing_events_only(server: ApiServer) -> None:
    session = await server.session()
    late = await raw(server)
    await late.send_str('42["service_message",{"type":"join_session","session_id":"s1"}]')
    assert "session_joined" in await late.receive_str()
    assert "snapshot" in await late.receive_str()
    transport = late._response.connection.transport  # type: ignore[union-attr]
    assert transport is not None
    # Otherwise the kernel may well keep nearly all of it.
    late.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    transport.pause_reading()
    async with connected(server) as reader:
        await reader.message(type="join_session", session_id="s1")
        await reader.next("snapshot")
        for number in range(300):
            session.emit_passing(f"lag {number}", "lag", {"seconds": number, "pad": "x" * 30_000})
            await reader.next("lag")
        for _ in range(20):
            session.emit("alert", {"level": "info", "code": "x", "message": "m"})
            await reader.next("alert")
    transport.resume_reading()
    lags, seqs = 0, []
    while 20 not in seqs:
        name, body = json.loads((await late.receive_str()).removeprefix("42"))
        lags += name == "lag"
        seqs += [body["seq"]] if name == "alert" else []
    await late.close()

    assert seqs == list(range(1, 21))
    assert 0 < lags < 300


async def test_a_viewer_that_does_not_read_is_cut_off_and_the_others_hear_on(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.api.socket_io_transport.SEND_TIMEOUT_S", 0.5)
    session = await server.session()
    slow = await raw(server)
    await slow.send_str('42["service_message",{"type":"join_session","session_id":"s1"}]')
    assert "session_joined" in await slow.receive_str()
    assert "snapshot" in await slow.receive_str()
    slow._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    async with connected(server) as reader:
        await reader.message(type="join_session", session_id="s1")
        await reader.next("snapshot")
        for number in range(300):
            session.emit("alert", {"level": "info", "code": "x", "message": "m" * 30_000})
            assert (await reader.next("alert"))["seq"] == number + 1
        async with asyncio.timeout(60):
            while True:
                _, stats = await server.json("GET", "/api/websocket/stats")
                if stats["active_connections"] == 1:
                    break
                await asyncio.sleep(0.05)
    slow._response.connection.transport.abort()  # type: ignore[union-attr]
    await slow.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
KINDS = ["heartbeat", "join_session", "leave_session", "service_request", "x"]
BODIES = JSON | st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS) | JSON,
        "session_id": st.just("s1") | JSON,
        "after": JSON,
        "service": st.just("database") | JSON,
        "target_service": st.just("whisper") | JSON,
        "action": st.sampled_from(["get_health", "get_status", "get_models"]) | JSON,
        "text": st.just("hello") | JSON,
        "target_lang": st.just("es") | JSON,
        "source_lang": JSON,
        "audio_data": JSON,
    },
)
EVENTS = st.sampled_from(
    [
        "subscribe",
        "service_message",
        "translation_stream",
        "transcription_stream",
        "speaker_stream",
        "anything",
    ]
)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(EVENTS, BODIES), min_size=10, max_size=30))
def test_no_event_stays_unanswered(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, Any]]
) -> None:
    async def converse() -> None:
        async with api_server(tmp_path_factory.mktemp("api")) as server:
            await server.session("s1")
            async with connected(server) as client:
                for event, body in messages:
                    ack = await client.io.call(event, body, timeout=10)
                    assert isinstance(ack, dict), (event, body)
                assert not client.gone.is_set()

    asyncio.run(converse())
