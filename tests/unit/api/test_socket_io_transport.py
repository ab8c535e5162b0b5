"""What goes past Engine.IO's queue: never before what it took in, and never without an end."""

import asyncio

import pytest
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from orchestration.api import socket_io_transport
from orchestration.api.socket_io_transport import PacketQueue, Transport
from orchestration.errors import BadRequest


class Wire:
    """The server's side of a WebSocket: what was sent over it, and a client that may not read."""

    def __init__(self) -> None:
        self.sent: list[str | int] = []
        self.read = asyncio.Event()
        self.read.set()
        self.gone = False
        self.transport = Transport(self._receive, self._send, idle_s=60)
        self.transport.queue = self.queue = PacketQueue()

    async def _receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def _send(self, message: Message) -> None:
        await self.read.wait()
        if self.gone:
            raise OSError
        self.sent.append(message.get("text") or message["code"])

    async def write(self) -> None:
        """Send one packet as Engine.IO's writer does."""
        packet = await self.queue.get()
        await self.transport.send({"type": "websocket.send", "text": packet})


async def test_a_live_event_waits_for_the_packets_that_were_taken_in_before_it() -> None:
    wire = Wire()
    wire.queue.put_nowait("40{sid}")
    wire.queue.put_nowait("session_joined")
    event = asyncio.create_task(wire.transport.send_past_queue("snapshot"))
    await wire.write()
    wire.read.clear()
    writing = asyncio.create_task(wire.write())
    await asyncio.sleep(0)
    assert wire.queue.empty(), "the writer has the packet, and has not sent it"
    wire.read.set()
    await asyncio.gather(event, writing)

    assert wire.sent == ["40{sid}", "session_joined", "snapshot"]


async def test_answers_wait_while_too_many_packets_do() -> None:
    wire = Wire()
    for number in range(3):
        wire.queue.put_nowait(f"answer {number}")
    room = asyncio.create_task(wire.transport.room(3))
    await asyncio.sleep(0)
    assert not room.done()
    await wire.write()
    await room


async def test_the_end_of_the_queue_is_no_packet_to_wait_for() -> None:
    wire = Wire()
    wire.queue.put_nowait(None)
    await wire.transport.send_past_queue("event")

    assert wire.sent == ["event"]


async def test_a_viewer_that_does_not_read_in_time_is_closed_as_too_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket_io_transport, "SEND_TIMEOUT_S", 0.01)
    wire = Wire()
    wire.read.clear()
    receiving = asyncio.create_task(wire.transport.receive())
    with pytest.raises(WebSocketDisconnect):
        await wire.transport.send_past_queue("event")

    assert await receiving == {"type": "websocket.disconnect", "code": 1013}


async def test_what_is_told_to_a_client_that_is_gone_ends_its_viewing() -> None:
    wire = Wire()
    wire.gone = True
    with pytest.raises(WebSocketDisconnect):
        await wire.transport.send_past_queue("event")


async def test_a_cut_connection_is_closed_with_its_reason_and_hears_nothing_more() -> None:
    wire = Wire()
    receiving = asyncio.create_task(wire.transport.receive())
    await asyncio.sleep(0)
    wire.transport.cut(BadRequest("Nonsense."))
    assert await receiving == {"type": "websocket.disconnect", "code": 4000}
    assert await wire.transport.receive() == {"type": "websocket.disconnect", "code": 4000}
    with pytest.raises(WebSocketDisconnect):
        await wire.transport.send_past_queue("event")
    await wire.transport.send({"type": "websocket.close"})

    assert wire.sent == [4000]


async def test_an_event_that_waits_for_packets_ends_when_the_connection_closes() -> None:
    wire = Wire()
    wire.queue.put_nowait("never sent")
    event = asyncio.create_task(wire.transport.send_past_queue("event"))
    await asyncio.sleep(0)
    await wire.transport.send({"type": "websocket.close"})
    with pytest.raises(WebSocketDisconnect):
        await event
