"""The live WebSocket, watched by real clients."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestration.errors import DatabaseUnavailable
from orchestration.json_types import JsonObject
from orchestration.session.events import pending_key
from orchestration.storage.archive_ports import StoredSegment
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord
from tests.doubles.api_server import ApiServer, api_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    limits = {"replay_events": 50, "snapshot_segments": 3, "viewer_queue_events": 20}
    async with api_server(tmp_path, live=limits) as running:
        yield running


def segment(number: int) -> StoredSegment:
    start_ns = number * 1_000_000_000
    word = TimedWord("hello", start_ns, start_ns + 500_000_000, 0.9)
    speaker = SpeakerName("p1", "Ana", 1.0, "own_stream")
    return StoredSegment(
        Segment(f"g{number}", 1, 0, start_ns, word.end_ns, speaker, "en", (word,)), ()
    )


def alert(number: int, padding: str = "") -> JsonObject:
    return {"level": "info", "code": "test", "message": f"{number}{padding}"}


async def first(socket: Any) -> dict[str, Any]:
    message: dict[str, Any] = await socket.receive_json()
    return message


async def durable(socket: Any, count: int) -> list[int]:
    """The seqs of the next `count` durable events."""
    seqs: list[int] = []
    while len(seqs) < count:
        message = await socket.receive_json()
        if "seq" in message:
            seqs.append(message["seq"])
    return seqs


async def to_close(socket: Any) -> tuple[list[dict[str, Any]], int]:
    """Every message up to the close, and its code."""
    messages: list[dict[str, Any]] = []
    while True:
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            assert socket.close_code is not None
            return messages, int(socket.close_code)
        messages.append(message.json())


async def test_a_viewer_starts_from_a_snapshot_and_hears_what_follows(server: ApiServer) -> None:
    session = await server.session(title="Weekly")
    session.stored.segments.extend(segment(number) for number in range(2))
    session.emit("alert", alert(1))
    async with server.live() as socket:
        snapshot = await first(socket)
        session.emit("alert", alert(2))
        assert await first(socket) == {"type": "alert", "seq": 2, **alert(2)}

    assert (snapshot["type"], snapshot["seq"], snapshot["truncated"]) == ("snapshot", 1, False)
    assert snapshot["session"]["title"] == "Weekly"
    assert [one["segment_id"] for one in snapshot["segments"]] == ["g0", "g1"]
    assert snapshot["segments"][1]["speaker"]["name"] == "Ana"


async def test_a_long_sessions_snapshot_has_its_last_segments(server: ApiServer) -> None:
    session = await server.session()
    session.stored.segments.extend(segment(number) for number in range(5))
    async with server.live() as socket:
        snapshot = await first(socket)

    assert [one["segment_id"] for one in snapshot["segments"]] == ["g2", "g3", "g4"]
    assert snapshot["truncated"] is True


async def test_a_viewer_that_comes_back_gets_exactly_what_it_missed(server: ApiServer) -> None:
    session = await server.session()
    for number in range(10):
        session.emit("alert", alert(number))
    async with server.live(query="?after=4") as socket:
        assert await first(socket) == {"type": "resumed", "after": 4, "seq": 10}
        session.emit("alert", alert(10))
        assert await durable(socket, 7) == [5, 6, 7, 8, 9, 10, 11]


async def test_nothing_missed_is_nothing_replayed(server: ApiServer) -> None:
    session = await server.session()
    session.emit("alert", alert(0))
    async with server.live(query="?after=1") as socket:
        assert await first(socket) == {"type": "resumed", "after": 1, "seq": 1}
        session.emit("alert", alert(1))
        assert await durable(socket, 1) == [2]


@pytest.mark.parametrize("after", [0, 1000])
async def test_a_viewer_beyond_the_log_gets_a_snapshot(server: ApiServer, after: int) -> None:
    session = await server.session()
    for number in range(60):
        session.emit("alert", alert(number))
    async with server.live(query=f"?after={after}") as socket:
        message = await first(socket)

    assert (message["type"], message["seq"]) == ("snapshot", 60)


async def test_events_told_while_viewers_come_and_go_reach_each_once(server: ApiServer) -> None:
    session = await server.session()

    async def emit() -> None:
        for number in range(300):
            session.emit("alert", alert(number))
            await asyncio.sleep(0.001)

    async def watch() -> None:
        async with server.live() as socket:
            seq = (await first(socket))["seq"]
            assert await durable(socket, 300 - seq) == list(range(seq + 1, 301))

    await asyncio.gather(emit(), *(watch() for _ in range(4)))


async def test_events_that_the_session_no_longer_holds_come_from_the_archive(
    server: ApiServer,
) -> None:
    session = await server.session()
    session.held_events = 2
    async with server.live() as socket:
        await first(socket)
        for number in range(15):
            session.emit("alert", alert(number))

        assert await durable(socket, 15) == list(range(1, 16))


async def test_all_viewers_share_one_subscription(server: ApiServer) -> None:
    session = await server.session()
    async with server.live() as one, server.live() as two:
        await first(one)
        await first(two)
        calls = session.event_calls
        session.emit("alert", alert(1))
        assert await durable(one, 1) == await durable(two, 1) == [1]

    assert session.event_calls - calls <= 2


async def test_a_restarting_session_delays_its_viewers_only(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.api.live_hub.RETRY_S", 0.01)
    session = await server.session()
    async with server.live() as socket:
        await first(socket)
        server.sessions.unavailable_links = 3
        server.archive.outage = DatabaseUnavailable("PostgreSQL is away.")
        session.held_events = 0
        session.emit("alert", alert(1))
        await asyncio.sleep(0.05)
        server.archive.outage = None

        assert await durable(socket, 1) == [1]


async def test_an_actor_that_leaves_before_the_end_is_followed_by_the_next(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.api.live_hub.RETRY_S", 0.01)
    session = await server.session()
    async with server.live() as socket:
        await first(socket)
        session.leaving = True
        session.emit("alert", alert(1))
        assert await durable(socket, 1) == [1]
        session.leaving = False
        session.emit("alert", alert(2))
        assert await durable(socket, 1) == [2]


async def test_after_completed_the_server_closes_with_1000(server: ApiServer) -> None:
    session = await server.session()
    async with server.live() as socket:
        await first(socket)
        session.emit("alert", alert(1))
        session.complete()
        messages, code = await to_close(socket)

    assert [message["seq"] for message in messages] == [1, 2]
    assert messages[-1]["status"] == "completed"
    assert code == 1000


async def test_a_completed_session_gives_its_snapshot_and_closes(server: ApiServer) -> None:
    session = await server.session()
    session.stored.segments.append(segment(0))
    session.complete()
    async with server.live() as socket:
        messages, code = await to_close(socket)

    assert [message["type"] for message in messages] == ["snapshot"]
    assert messages[0]["session"]["status"] == "completed"
    assert code == 1000


async def test_a_completed_session_replays_what_was_missed_and_closes(server: ApiServer) -> None:
    session = await server.session()
    session.emit("alert", alert(1))
    session.complete()
    async with server.live(query="?after=0") as socket:
        messages, code = await to_close(socket)

    assert [message["seq"] for message in messages] == [2, 1, 2]
    assert messages[0]["type"] == "resumed"
    assert code == 1000


async def test_a_deleted_session_ends_its_viewers(server: ApiServer) -> None:
    await server.session()
    async with server.live() as socket:
        await first(socket)
        await server.json("DELETE", "/api/sessions/s1")
        _, code = await to_close(socket)

    assert code == 4004


async def test_a_slow_viewer_is_closed_and_never_slows_another(server: ApiServer) -> None:
    session = await server.session()
    async with server.live() as slow, server.live() as quick:
        await first(slow)
        await first(quick)
        # Far more than sockets buffer, so that it piles up for the one who does not read.
        padding = "x" * 200_000
        for number in range(200):
            session.emit("alert", alert(number, padding))
            assert await durable(quick, 1) == [number + 1]
        messages, code = await to_close(slow)

    assert code == 1013
    seen = [message["seq"] for message in messages]
    assert seen == list(range(1, len(seen) + 1))
    async with server.live(query=f"?after={max(150, len(seen))}") as again:
        assert (await first(again))["type"] == "resumed"


async def test_passing_events_have_no_seq_and_are_not_replayed(server: ApiServer) -> None:
    session = await server.session()
    async with server.live() as socket:
        await first(socket)
        session.emit_passing("lag", "lag", {"seconds": 1.5})
        assert await first(socket) == {"type": "lag", "seconds": 1.5}


def pending(text: str) -> JsonObject:
    return {"segment": {"segment_id": "s1:0:1", "stream": 0, "state": "pending", "text": text}}


async def test_who_comes_later_is_told_what_holds_in_passing_and_no_more_what_is_final(
    server: ApiServer,
) -> None:
    session = await server.session()
    async with server.live() as one:
        await first(one)
        session.emit_passing(pending_key(0), "segment", pending("Shall we"))
        session.emit_passing("lag", "lag", {"seconds": 1.5})
        assert [(await first(one))["type"] for _ in range(2)] == ["segment", "lag"]
        async with server.live() as later:
            assert (await first(later))["type"] == "snapshot"
            assert await first(later) == {"type": "segment", **pending("Shall we")}
            assert (await first(later))["type"] == "lag"
        session.emit("segment", {"segment": {"segment_id": "s1:0:1", "stream": 0}})
        await durable(one, 1)
        async with server.live() as last:
            assert [(await first(last))["type"] for _ in range(2)] == ["snapshot", "lag"]


async def test_what_was_pending_when_an_actor_died_is_retracted(server: ApiServer) -> None:
    session = await server.session()
    async with server.live() as socket:
        await first(socket)
        session.emit_passing(pending_key(0), "segment", pending("Shall we"))
        await first(socket)
        session.restart()
        session.emit_passing("lag", "lag", {"seconds": 1.5})
        assert await first(socket) == {"type": "retract", "segment_id": "s1:0:1"}
        assert (await first(socket))["type"] == "lag"


async def test_ping_is_answered_and_unknown_messages_are_let_pass(server: ApiServer) -> None:
    await server.session()
    async with server.live() as socket:
        await first(socket)
        await socket.send_json({"type": "ping", "t": 42})
        assert await first(socket) == {"type": "pong", "t": 42}
        await socket.send_json({"type": "wave"})
        error = await first(socket)

    assert (error["code"], error["fatal"]) == ("unknown_type", False)


@pytest.mark.parametrize("sent", ["nonsense", "[" * 60_000, "{}", b"\x00"])
async def test_a_viewer_that_talks_nonsense_is_closed(server: ApiServer, sent: str | bytes) -> None:
    await server.session()
    async with server.live() as socket:
        await first(socket)
        await (socket.send_bytes(sent) if isinstance(sent, bytes) else socket.send_str(sent))
        _, code = await to_close(socket)

    assert code == 4000


@pytest.mark.parametrize(
    ("session_id", "query", "status"),
    [("nobody", "", 404), ("s1", "?after=x", 400), ("s1", "?after=-1", 400)],
)
async def test_a_wrong_address_is_refused_before_the_upgrade(
    server: ApiServer, session_id: str, query: str, status: int
) -> None:
    await server.session()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await server.live(session_id, query)

    assert refused.value.status == status
