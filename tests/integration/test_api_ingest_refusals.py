"""What the ingest WebSocket refuses, and what it lets pass with a word."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestration.client.wire import frame_bytes
from tests.doubles.api_server import ApiServer, api_server
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


@pytest.mark.parametrize("session_id", ["nobody", "a" * 65, "%00", "a%20b"])
async def test_an_unknown_session_is_refused_before_the_upgrade(
    server: ApiServer, session_id: str
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await server.ingest(session_id)

    assert refused.value.status == 404


async def test_without_hello_the_connection_ends(tmp_path: Path) -> None:
    async with api_server(tmp_path, ingest={"hello_timeout_s": 0.1}) as server:
        await server.session()
        async with server.ingest() as socket:
            error, code = await failed(socket)

    assert (error["limit"], code) == ("hello_timeout_s", 4000)


@pytest.mark.parametrize(
    ("sent", "error_code", "close_code"),
    [
        pytest.param(b"\x01", "bad_request", 4000, id="audio before hello"),
        pytest.param("hello", "bad_request", 4000, id="not JSON"),
        pytest.param("[" * 60_000, "bad_request", 4000, id="depth bomb"),
        pytest.param(json.dumps(HELLO | {"protocol": 9}), "bad_request", 4000, id="protocol"),
        pytest.param(json.dumps({"type": "ping"}), "bad_request", 4000, id="ping before hello"),
        pytest.param(json.dumps({"type": "hello"}), "bad_request", 4000, id="empty hello"),
        pytest.param("x" * 70_000, "too_large", 1009, id="oversize text"),
        pytest.param(
            json.dumps(HELLO | {"streams": [STREAM | {"encoding": "opus"}]}),
            "bad_audio",
            4008,
            id="unsupported encoding",
        ),
        pytest.param(
            json.dumps(HELLO | {"streams": [STREAM | {"sample_rate": 96_000}]}),
            "bad_audio",
            4008,
            id="unsupported rate",
        ),
    ],
)
async def test_a_wrong_first_message_is_a_typed_error(
    server: ApiServer, sent: str | bytes, error_code: str, close_code: int
) -> None:
    await server.session()
    async with server.ingest() as socket:
        await (socket.send_bytes(sent) if isinstance(sent, bytes) else socket.send_str(sent))
        error, code = await failed(socket)

    assert (error["code"], code) == (error_code, close_code)


@pytest.mark.parametrize(
    ("sent", "error_code", "close_code"),
    [
        pytest.param(frame(0)[:-1], "bad_audio", 4008, id="odd length"),
        pytest.param(b"\x02" + frame(0)[1:], "bad_audio", 4008, id="version"),
        pytest.param(b"\x01\x00\x00\x09" + frame(0)[4:], "bad_audio", 4008, id="unknown stream"),
        pytest.param(b"\x01", "bad_audio", 4008, id="no whole header"),
        pytest.param(frame(0) + bytes(65_536), "too_large", 1009, id="oversize frame"),
        pytest.param(frame(1, fill=9), "frame_conflict", 4009, id="conflict"),
        pytest.param(json.dumps(HELLO), "bad_request", 4000, id="second hello"),
        pytest.param('{"type": "clock"}', "bad_request", 4000, id="malformed fact"),
        pytest.param('{"type": ', "bad_request", 4000, id="broken JSON"),
    ],
)
async def test_a_wrong_message_ends_its_connection_and_disturbs_nobody(
    server: ApiServer, sent: str | bytes, error_code: str, close_code: int
) -> None:
    await server.session("s1")
    other = await server.session("s2")
    async with server.ingest("s1") as socket, server.ingest("s2") as neighbour:
        await greeted(socket)
        await greeted(neighbour)
        for seq in range(2):
            await socket.send_bytes(frame(seq))
        await acked(socket, 1)
        await (socket.send_bytes(sent) if isinstance(sent, bytes) else socket.send_str(sent))
        error, code = await failed(socket)
        await neighbour.send_bytes(frame(0))
        await acked(neighbour, 0)

    assert (error["code"], code) == (error_code, close_code)
    assert len(other.stored.frames[0]) == 1
    async with server.ingest("s1") as again:
        assert (await greeted(again))["streams"][0]["next_seq"] == 2


async def test_frames_after_the_end_are_refused(server: ApiServer) -> None:
    session = await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        # A second stream still owes a frame, so that the session does not complete first.
        await socket.send_json({"type": "stream", **STREAM, "id": 1})
        await until(socket, "stream_open")
        await socket.send_bytes(frame(0))
        streams: list[Any] = [{"id": 0, "last_seq": 0}, {"id": 1, "last_seq": 0}]
        await socket.send_json({"type": "end", "streams": streams, "last_fact": -1})
        await socket.send_bytes(frame(1))
        error, code = await failed(socket)

    assert (error["code"], code) == ("frames_after_end", 4010)
    assert len(session.stored.frames[0]) == 1


async def test_text_that_is_not_utf_8_ends_its_connection_only(server: ApiServer) -> None:
    await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        await socket._writer.send_frame(b"\xff\xfe", aiohttp.WSMsgType.TEXT)
        assert await closed(socket) == 1007
    async with server.ingest() as again:
        await greeted(again)


async def test_an_unknown_message_is_answered_and_let_pass(server: ApiServer) -> None:
    await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        await socket.send_json({"type": "reaction"})
        error = await until(socket, "error")
        assert (error["code"], error["fatal"]) == ("unknown_type", False)
        await socket.send_bytes(frame(0))
        await acked(socket, 0)


async def test_half_a_surrogate_pair_is_answered_like_any_other_text(server: ApiServer) -> None:
    await server.session()
    async with server.ingest() as socket:
        await greeted(socket)
        await socket.send_str('{"type": "\\ud800"}')
        assert (await until(socket, "error"))["fatal"] is False


async def test_facts_over_the_rate_wait_and_none_is_lost(tmp_path: Path) -> None:
    async with api_server(tmp_path, ingest={"max_facts_per_s": 20}) as server:
        session = await server.session()
        async with server.ingest() as socket:
            await greeted(socket)
            await socket.send_bytes(frame(0))
            for number in range(25):
                await socket.send_json(clock(number))
            await socket.send_json(end(0, last_fact=24))
            error = await until(socket, "error")
            await until(socket, "ended")

    assert (error["limit"], error["fatal"]) == ("max_facts_per_s", False)
    assert [fact.fact for fact in session.facts] == list(range(25))


async def test_an_idle_connection_is_ended(tmp_path: Path) -> None:
    async with api_server(tmp_path, server={"websocket_idle_timeout_s": 1}) as server:
        await server.session()
        async with server.ingest() as socket:
            await greeted(socket)
            error, code = await failed(socket)

    assert (error["limit"], code) == ("websocket_idle_timeout_s", 1013)


async def test_a_full_queue_holds_the_sender_back(tmp_path: Path) -> None:
    async with api_server(tmp_path, ingest={"max_batch_bytes": 65_536}) as server:
        session = await server.session()
        async with server.ingest() as socket:
            await greeted(socket)
            session.push_gate.clear()
            payload = bytes(65_000)
            for seq in range(40):
                sample = seq * len(payload) // 2
                await socket.send_bytes(frame_bytes(0, seq, sample, payload))
                if seq == 0:
                    await session.push_came.wait()
            session.push_gate.set()
            await acked(socket, 39)

    sizes = [len(batch.items) for batch in session.batches]
    assert max(sizes) == 1
    assert sum(sizes) == 40
