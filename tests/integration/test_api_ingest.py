"""The ingest WebSocket, spoken to by a real client."""

import json
import time

import pytest

from orchestration.api import session_line
from orchestration.client.wire import frame_bytes
from orchestration.errors import Fenced
from orchestration.session.exchange import Notice
from orchestration.session.inputs import ClockFact
from tests.doubles.api_server import ApiServer
from tests.integration.ingest_socket import (
    HELLO,
    STREAM,
    acked,
    clock,
    closed,
    end,
    failed,
    frame,
    greeted,
    until,
)


async def test_a_meeting_is_stored_acked_and_ended(server: ApiServer) -> None:
    session = await server.session()
    async with server.ingest() as socket:
        welcome = await greeted(socket)
        assert welcome == {
            "type": "welcome",
            "session_id": "s1",
            "epoch": 1,
            "streams": [{"id": 0, "next_seq": 0, "next_sample": 0, "window": 600}],
            "next_fact": 0,
            "max_frame_bytes": 65536,
            "ack_ms": 250,
        }
        await socket.send_json(clock(0))
        for seq in range(20):
            await socket.send_bytes(frame(seq))
        await socket.send_json(end(19, last_fact=0))

        ack = await acked(socket, 19)
        assert ack["facts"] == 0
        assert await until(socket, "ended") == {"type": "ended", "coverage": {"streams": []}}
        assert await closed(socket) == 1000
    assert [one.seq for one in session.stored.frames[0]] == list(range(20))
    assert session.facts == [ClockFact(0, 0, 0, 0)]


async def test_a_sender_goes_on_where_welcome_says(server: ApiServer) -> None:
    await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        for seq in range(3):
            await socket.send_bytes(frame(seq))
        await acked(socket, 2)
    async with server.ingest() as socket:
        welcome = await greeted(socket)

    assert welcome["streams"] == [{"id": 0, "next_seq": 3, "next_sample": 960, "window": 600}]


async def test_one_call_is_under_way_and_what_arrives_meanwhile_goes_in_the_next(
    server: ApiServer,
) -> None:
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        session.push_gate.clear()
        for seq in range(10):
            await socket.send_bytes(frame(seq))
        await socket.send_json({"type": "ping", "t": 1})
        await until(socket, "pong")  # The reader has passed all frames.
        session.push_gate.set()
        await acked(socket, 9)

    assert session.most_pushes_under_way == 1
    assert len(session.batches) <= 2 + 1
    assert sum(len(batch.items) for batch in session.batches) == 10


async def test_a_skipped_frame_is_asked_for_again(server: ApiServer) -> None:
    await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        await socket.send_bytes(frame(0))
        await socket.send_bytes(frame(2))

        assert await until(socket, "nack") == {"type": "nack", "stream": 0, "expected": 1}


async def test_one_more_stream_opens_while_the_session_runs(server: ApiServer) -> None:
    await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        await socket.send_json({"type": "stream", **STREAM, "id": 7})
        opened = await until(socket, "stream_open")
        assert opened == {
            "type": "stream_open",
            "id": 7,
            "next_seq": 0,
            "next_sample": 0,
            "window": 600,
        }
        await socket.send_bytes(frame_bytes(7, 0, 0, bytes(640)))
        ack = await until(socket, "ack")

    assert {"id": 7, "upto": 0, "window": 600} in ack["streams"]


async def test_a_newer_connection_is_served_and_the_first_is_told(server: ApiServer) -> None:
    await server.session()
    async with server.ingest() as first, server.ingest() as second:
        await greeted(first)
        await greeted(second)
        error, code = await failed(first)
        await second.send_bytes(frame(0))
        await acked(second, 0)

    assert (error["code"], code) == ("taken_over", 4103)


async def test_the_newest_is_served_though_the_clock_was_set_back(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.session()
    async with server.ingest() as first:
        await greeted(first)
        an_hour_ago_ns = time.time_ns() - 3_600_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda: an_hour_ago_ns)
        async with server.ingest() as second:
            await greeted(second)
            error, code = await failed(first)
            await second.send_bytes(frame(0))
            await acked(second, 0)

    assert (error["code"], code) == ("taken_over", 4103)


async def test_goaway_is_passed_on_and_the_connection_served_on(server: ApiServer) -> None:
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        session.tell(Notice("goaway", reason="deploy", retry_ms=5000))
        assert await until(socket, "goaway") == {
            "type": "goaway",
            "reason": "deploy",
            "retry_ms": 5000,
        }
        await socket.send_bytes(frame(0))
        await acked(socket, 0)


async def test_a_completed_session_answers_hello_with_ended(server: ApiServer) -> None:
    session = await server.session()
    session.complete()
    async with server.ingest() as socket:
        await socket.send_json(HELLO)
        assert await socket.receive_json() == {"type": "ended", "coverage": {"streams": []}}
        assert await closed(socket) == 1000


async def test_a_failed_session_takes_no_more(server: ApiServer) -> None:
    session = await server.session()
    session.stored.set_status("failed")
    async with server.ingest() as socket:
        await socket.send_json(HELLO)
        error, code = await failed(socket)

    assert (error["code"], code) == ("session_ended", 4010)


async def test_the_session_hears_that_its_connection_is_gone(server: ApiServer) -> None:
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        connection_id = session.connection_id

    assert await session.disconnected.get() == connection_id


async def test_frames_survive_a_restart_of_the_session_without_the_sender_knowing(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_line, "RETRY_FIRST_S", 0.01)
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        session.unavailable_pushes = 2
        for seq in range(5):
            await socket.send_bytes(frame(seq))
        await socket.send_json(end(4))
        await until(socket, "ended")

    assert session.epoch == 3
    assert [one.seq for one in session.stored.frames[0]] == list(range(5))


async def test_ended_is_heard_after_a_restart_with_nothing_left_to_send(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_line, "RETRY_FIRST_S", 0.01)
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        session.restart()
        await session.connected.wait()
        session.complete()
        await until(socket, "ended")
        assert await closed(socket) == 1000


async def test_a_session_that_stays_away_ends_the_connection_with_1013(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_line, "RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(session_line, "RETRY_FOR_S", 0.05)
    await server.session()
    server.sessions.unavailable_links = 1000
    async with server.ingest() as socket:
        await socket.send_json(HELLO)
        error, code = await failed(socket)

    assert (error["code"], code) == ("unavailable", 1013)


async def test_an_unforeseen_error_shows_nothing_of_itself(server: ApiServer) -> None:
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        session.push_error = RuntimeError("secret")
        await socket.send_bytes(frame(0))
        error, code = await failed(socket)

    assert (error["code"], code) == ("internal_error", 1011)
    assert "secret" not in json.dumps(error)


async def test_a_fenced_session_is_sought_anew(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_line, "RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(session_line, "RETRY_FOR_S", 0.05)
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        session.push_error = Fenced("A newer incarnation.")
        await socket.send_bytes(frame(0))
        error, code = await failed(socket)

    assert (error["code"], code) == ("fenced", 1012)
