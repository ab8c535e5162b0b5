"""Socket.IO beside the native WebSockets: the same sessions, for clients of that protocol.

Over the WebSocket transport only: long polling would need every request of a client to reach the
replica that knows it. A joined session is served from this replica's own subscription to it.
"""

from typing import Any

import engineio
import socketio
import structlog
from starlette.types import Receive, Scope, Send

from orchestration.api import wire
from orchestration.api.problems import problem_for
from orchestration.api.server_messages import encode_message
from orchestration.api.socket_io_client import SocketIoClient, SocketIoServices
from orchestration.api.socket_io_transport import MAX_PACKET_BYTES, PacketQueue, Transport
from orchestration.errors import BadRequest, OrchestrationError
from orchestration.json_types import JsonObject

SOCKET_IO_PATH = "/socket.io"
ANSWER_S = 20
"""A client that leaves a ping unanswered for so long is gone."""
MAX_ATTACHMENTS = 4
"""Binary parts of one event; more end the connection."""
MAX_JSON_DEPTH = 16
MAX_WAITING_PACKETS = 64
"""Packets waiting for a client before the next answer to it waits, and so what it says next."""
CONNECT = "0"
"""How a packet of Socket.IO begins that asks for a client to be taken in."""

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
            _log.info("socket_io_packet_refused", reason=type(error).__name__)
            transport_of(self.environ[eio_sid]).cut(BadRequest("This is not Socket.IO."))


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
