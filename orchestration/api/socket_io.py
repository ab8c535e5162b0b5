"""Socket.IO beside the native WebSockets: the same sessions, for clients of that protocol.

Over the WebSocket transport only: long polling would need every request of a client to reach the
replica that knows it. A joined session is served from this replica's own subscription to it.
"""

import asyncio
from typing import Any

import engineio
import socketio
import structlog
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from orchestration.api import wire
from orchestration.api.connection import CLOSE_DONE
from orchestration.api.problems import problem_for
from orchestration.api.server_messages import encode_message
from orchestration.api.socket_io_client import SocketIoClient, SocketIoServices
from orchestration.errors import BadRequest, JsonObject, LimitReached, OrchestrationError, TooLarge

SOCKET_IO_PATH = "/socket.io"
ANSWER_S = 20
"""A client that leaves a ping unanswered for so long is gone."""
MAX_PACKET_BYTES = 1_000_000
"""A larger one ends its connection."""
MAX_ATTACHMENTS = 4
"""Binary parts of one event; more end the connection."""
MAX_JSON_DEPTH = 16
MAX_WAITING_PACKETS = 64
"""Packets waiting for a client before the next answer to it waits, and so what it says next."""
CONNECT = "0"
"""How a packet of Socket.IO begins that asks for a client to be taken in."""
PACKET_TYPES = frozenset("123456")
"""What a client's packet may begin with."""
FAREWELL = "1"
"""How the packet begins with which a client closes."""
SEND_TIMEOUT_S = 20
"""A client that takes nothing for so long is cut off."""
CLOSE_ABNORMAL = 1006
"""RFC 6455, 7.4.1: never sent; a connection that ended without a close."""

_log = structlog.get_logger(__name__)


class _BoundedJson:
    """JSON as the native protocols take it: no deep nesting, no NaN."""

    @staticmethod
    def loads(text: str) -> Any:
        try:
            return wire.parse_json_value(text, MAX_PACKET_BYTES, MAX_JSON_DEPTH)
        except OrchestrationError as error:
            raise ValueError(error.message) from error

    @staticmethod
    def dumps(body: Any, **_: Any) -> str:
        return encode_message(body)


class PacketQueue(asyncio.Queue[Any]):
    """Engine.IO's packets for one client; `taken_in` counts all that were ever put in."""

    taken_in = 0

    def _put(self, item: Any) -> None:
        super()._put(item)
        if item is not None:  # None ends the queue.
            self.taken_in += 1


class _Engine(engineio.AsyncServer):  # type: ignore[misc]
    def create_queue(self, *_: Any, **__: Any) -> PacketQueue:
        return PacketQueue()


class _Server(socketio.AsyncServer):  # type: ignore[misc]
    """Ends the connection of whoever sends what is not Socket.IO, as the original server does."""

    def _engineio_server_class(self) -> type:
        return _Engine

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            taken = transport_of(self.environ[eio_sid]).client is not None
            if taken and isinstance(data, str) and data.startswith(CONNECT):
                raise ValueError("a connection serves one client")
            await super()._handle_eio_message(eio_sid, data)
            packet = self._binary_packet.get(eio_sid)
            if packet is not None and packet.attachment_count > MAX_ATTACHMENTS:
                raise ValueError("too many attachments")
        except Exception as error:
            _log.info("socket.io packet refused", reason=type(error).__name__)
            transport_of(self.environ[eio_sid]).cut(BadRequest("This is not Socket.IO."))


class Transport:
    """One WebSocket between the server and Engine.IO, which the service may end at any time."""

    def __init__(self, receive: Receive, send: Send, idle_s: float) -> None:
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._cut: asyncio.Future[None] = self._loop.create_future()
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
        if not self._cut.done():
            self._close = {**self._close, "code": error.close_code, "reason": error.code}
            self._cut.set_result(None)

    async def receive(self) -> Message:
        """The next message, or a disconnect once the connection is cut or idle for too long."""
        if self._loop.time() - self._active_at > self._idle_s:
            self._close = {**self._close, "code": 1013, "reason": "limit_reached"}
            return {"type": "websocket.disconnect", "code": 1013}
        task = asyncio.ensure_future(self._receive())
        try:
            waited: set[asyncio.Future[Any]] = {task, self._cut}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not self._cut.done():
                message = task.result()
                self._check(message)
            if self._cut.done():
                return {"type": "websocket.disconnect", "code": self._close["code"]}
            return message
        finally:
            task.cancel()

    def _check(self, message: Message) -> None:
        """Engine.IO ends with an error at what is not a packet: it does not get to see that."""
        if message["type"] != "websocket.receive":
            return
        data = message.get("bytes")
        if data is None:
            data = message.get("text") or ""
        if len(data) > MAX_PACKET_BYTES:
            self.cut(TooLarge("The packet is too large."))
        elif isinstance(data, str) and data[:1] == FAREWELL and not self._cut.done():
            # Engine.IO would forget the client, and leave its connection open and unanswered.
            self._cut.set_result(None)
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
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self._send(message)
        if message["type"] == "websocket.send":
            self._sent += 1
            self._progress.set()

    async def room(self, packets: int) -> None:
        """Wait until fewer than `packets` wait in Engine.IO's queue and in its writer."""
        assert self.queue is not None
        while self.queue.taken_in - self._sent >= packets:
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
        if self._closed or self._cut.done():
            raise WebSocketDisconnect(CLOSE_ABNORMAL)
        self.touch()
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send({"type": "websocket.send", "text": packet})
        except TimeoutError:
            self.cut(LimitReached("You have not read for too long; resume after the last event."))
            raise WebSocketDisconnect(CLOSE_ABNORMAL) from None
        except OSError as error:
            raise WebSocketDisconnect(CLOSE_ABNORMAL) from error


def transport_of(environ: dict[str, Any]) -> Transport:
    """The transport of an Engine.IO connection."""
    transport: Transport = environ["asgi.scope"]["orchestration.transport"]
    return transport


class SocketIo:
    """The ASGI application at `/socket.io`."""

    def __init__(self, services: SocketIoServices) -> None:
        self._services = services
        self._clients: dict[str, SocketIoClient] = {}
        self._server = _Server(
            async_mode="asgi",
            transports=["websocket"],
            cors_allowed_origins=[],  # AccessControl has looked at the Origin.
            async_handlers=False,
            always_connect=True,
            monitor_clients=False,
            max_http_buffer_size=MAX_PACKET_BYTES,
            ping_interval=services.current.now.server.socket_io_ping_interval_s,
            ping_timeout=ANSWER_S,
            json=_BoundedJson,
        )
        self._server.on("connect", self._connected)
        self._server.on("disconnect", self._disconnected)
        self._server.on("*", self._event)
        self._app = socketio.ASGIApp(self._server, socketio_path=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            error = BadRequest(
                "Socket.IO is spoken over WebSockets only: give the client the option "
                'transports: ["websocket"].',
                {"transports": ["websocket"]},
            )
            await problem_for(error)(scope, receive, send)
            return
        transport = Transport(
            receive, send, self._services.current.now.server.websocket_idle_timeout_s
        )
        scope["orchestration.transport"] = transport
        try:
            await self._app(scope, transport.receive, transport.send)
        finally:
            if transport.client is not None:
                transport.client.close()

    async def _connected(self, sid: str, environ: dict[str, Any], _: Any = None) -> None:
        eio_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        transport = transport_of(environ)
        transport.queue = self._server.eio._get_socket(eio_sid).queue

        async def answer(name: str, text: str) -> None:
            await transport.room(MAX_WAITING_PACKETS)
            transport.touch()
            await self._server.eio.send(eio_sid, f'2["{name}",{text}]')

        async def tell(name: str, text: str) -> None:
            await transport.send_past_queue(f'42["{name}",{text}]')

        scope = environ["asgi.scope"]
        client = SocketIoClient(sid, scope, answer, tell, transport.cut, self._services)
        self._clients[sid] = transport.client = client
        await client.greet()

    async def _disconnected(self, sid: str, _: Any = None) -> None:
        client = self._clients.pop(sid, None)
        if client is not None:
            client.close()

    async def _event(self, event: str, sid: str, *arguments: Any) -> JsonObject | None:
        client = self._clients.get(sid)
        if client is None:
            return None
        transport_of(self._server.get_environ(sid)).touch()
        return await client.on_event(event, arguments)
