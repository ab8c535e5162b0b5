"""The WebSocket of a Socket.IO client, between the server and Engine.IO."""

import asyncio
from typing import Any

from starlette.types import Message, Receive, Send
from starlette.websockets import WebSocketDisconnect

from orchestration.api.connection import CLOSE_DONE
from orchestration.api.socket_io_client import SocketIoClient
from orchestration.errors import BadRequest, LimitReached, OrchestrationError, TooLarge

MAX_PACKET_BYTES = 1_000_000
"""A larger one ends its connection."""
PACKET_TYPES = frozenset("123456")
"""What a client's packet may begin with."""
FAREWELL = "1"
"""How the packet begins with which a client closes."""
SEND_TIMEOUT_S = 20
"""A client that takes nothing for so long is cut off."""
CLOSE_ABNORMAL = 1006
"""RFC 6455, 7.4.1: never sent; a connection that ended without a close."""


class PacketQueue(asyncio.Queue[Any]):
    """Engine.IO's packets for one client; `taken_in` counts all that were ever put in."""

    taken_in = 0

    def _put(self, item: Any) -> None:
        super()._put(item)
        if item is not None:  # None ends the queue.
            self.taken_in += 1


class Transport:
    """One WebSocket between the server and Engine.IO, which the service may end at any time."""

    def __init__(self, receive: Receive, send: Send, idle_s: float) -> None:
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._is_cut = False
        self._receiving: asyncio.Timeout | None = None
        self._close: Message = {"type": "websocket.close", "code": CLOSE_DONE}
        self._closed = False
        self._sent = 0
        self._progress = asyncio.Event()
        self.queue: PacketQueue | None = None
        self.client: SocketIoClient | None = None
        self.touch()

    def touch(self) -> None:
        """An event went either way; heartbeats are none."""
        self._active_at = self._loop.time()

    def cut(self, error: OrchestrationError) -> None:
        """End the connection with the error's close code."""
        if self._is_cut:
            return
        self._is_cut = True
        self._close = {**self._close, "code": error.close_code, "reason": error.code}
        if self._receiving is not None:
            self._receiving.reschedule(self._loop.time())

    async def receive(self) -> Message:
        """The next message, or a disconnect once the connection is cut or idle for too long."""
        if self._loop.time() - self._active_at > self._idle_s:
            self._close = {**self._close, "code": 1013, "reason": "limit_reached"}
            return {"type": "websocket.disconnect", "code": 1013}
        message = None if self._is_cut else await self._receive_uncut()
        if message is not None:
            self._check(message)
        if message is None or self._is_cut:
            return {"type": "websocket.disconnect", "code": self._close["code"]}
        return message

    async def _receive_uncut(self) -> Message | None:
        """The next message, or None of a connection that is cut meanwhile.

        A timeout without an end spares a thousand idle clients a task each.
        """
        try:
            async with asyncio.timeout(None) as self._receiving:
                return await self._receive()
        except TimeoutError:
            return None
        finally:
            self._receiving = None

    def _check(self, message: Message) -> None:
        """Engine.IO ends with an error at what is not a packet: it does not get to see that."""
        if message["type"] != "websocket.receive":
            return
        data = message.get("bytes")
        if data is None:
            data = message.get("text") or ""
        if len(data) > MAX_PACKET_BYTES:
            self.cut(TooLarge("The packet is too large."))
        elif isinstance(data, str) and data[:1] == FAREWELL:
            # Engine.IO would forget the client, and leave its connection open and unanswered.
            self._is_cut = True
        elif isinstance(data, str) and data[:1] not in PACKET_TYPES:
            self.cut(BadRequest("This is not a packet of Engine.IO."))

    async def send(self, message: Message) -> None:
        """Engine.IO sends a packet, or closes.

        Raises:
            TimeoutError: the client has not read for `SEND_TIMEOUT_S`.
        """
        if message["type"] == "websocket.close":
            self._closed = True
            message = self._close
            self._progress.set()
        await self._send_in_time(message)
        if message["type"] == "websocket.send":
            self._sent += 1
            self._progress.set()

    async def _send_in_time(self, message: Message) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send(message)
        except TimeoutError:
            self.cut(LimitReached("The client has not read for too long."))
            raise

    async def room(self, packets: int) -> None:
        """Wait until fewer than `packets` wait in Engine.IO's queue and in its writer."""
        assert self.queue is not None
        while self.queue.taken_in - self._sent >= packets and not self._closed:
            self._progress.clear()
            await self._progress.wait()

    async def send_past_queue(self, packet: str) -> None:
        """Send a packet as soon as all that Engine.IO took in before is sent.

        Engine.IO's queue, writer and packet objects cost more than the sending itself; what goes
        to a thousand clients spares them.

        Raises:
            WebSocketDisconnect: the connection is closed or about to be.
        """
        await self.room(1)
        if self._closed or self._is_cut:
            raise WebSocketDisconnect(CLOSE_ABNORMAL)
        self.touch()
        try:
            await self._send_in_time({"type": "websocket.send", "text": packet})
        except OSError as error:  # A TimeoutError is one.
            raise WebSocketDisconnect(CLOSE_ABNORMAL) from error
