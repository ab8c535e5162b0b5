"""The ingest WebSocket, spoken to by a real client."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestration.api import session_line
from orchestration.api.ports import Notice
from orchestration.api.wire import encode_frame
from orchestration.errors import Fenced, JsonObject
from orchestration.session.inputs import AudioFrame, ClockFact
from tests.doubles.api_server import ApiServer, api_server

STREAM: JsonObject = {"id": 0, "encoding": "s16le", "sample_rate": 16000, "channels": 1}
HELLO: JsonObject = {"type": "hello", "protocol": 1, "streams": [STREAM]}
FRAME_SAMPLES = 320


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path, ingest={"hello_timeout_s": 0.5}) as running:
        yield running


def frame(seq: int, fill: int = 1) -> bytes:
    payload = bytes([fill]) * 2 * FRAME_SAMPLES
    return encode_frame(AudioFrame(0, seq, seq * FRAME_SAMPLES, payload))


def clock(number: int) -> JsonObject:
    return {"type": "clock", "fact": number, "stream": 0, "sample": 0, "unix_ms": number}


def end(last_seq: int, last_fact: int = -1) -> JsonObject:
    return {
        "type": "end",
        "streams": [{"id": 0, "last_seq": last_seq}],
        "last_fact": last_fact,
    }


async def greeted(socket: Any, hello: JsonObject = HELLO) -> dict[str, Any]:
    await socket.send_json(hello)
    welcome: dict[str, Any] = await socket.receive_json()
    assert welcome["type"] == "welcome"
    return welcome


async def until(socket: Any, kind: str) -> dict[str, Any]:
    """The next message of this type; others before it are passed over."""
    while True:
        message: dict[str, Any] = await socket.receive_json()
        if message["type"] == kind:
            return message


async def acked(socket: Any, upto: int) -> dict[str, Any]:
    while True:
        ack = await until(socket, "ack")
        if ack["streams"][0]["upto"] >= upto:
            return ack


async def closed(socket: Any) -> int:
    """The close code, after everything else was read."""
    while True:
        message = await socket.receive()
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            assert socket.close_code is not None
            return int(socket.close_code)


async def failed(socket: Any) -> tuple[dict[str, Any], int]:
    """The fatal error and the close code that follows it."""
    error = await until(socket, "error")
    assert error["fatal"] is True
    return error, await closed(socket)


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
        await socket.send_bytes(encode_frame(AudioFrame(7, 0, 0, bytes(640))))
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


# Restarts


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


# What a client gets wrong: a typed error, and nothing else is disturbed


@pytest.mark.parametrize("session_id", ["nobody", "a" * 65, "%00", "a%20b"])
async def test_an_unknown_session_is_refused_before_the_upgrade(
    server: ApiServer, session_id: str
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await server.ingest(session_id)

    assert refused.value.status == 404


async def test_without_hello_the_connection_ends(server: ApiServer) -> None:
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
                await socket.send_bytes(encode_frame(AudioFrame(0, seq, sample, payload)))
                if seq == 0:
                    await session.push_came.wait()
            session.push_gate.set()
            await acked(socket, 39)

    sizes = [len(batch.items) for batch in session.batches]
    assert max(sizes) == 1
    assert sum(sizes) == 40
