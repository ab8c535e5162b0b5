"""A bad client beside good ones: what it is answered with, and whether they notice."""

import asyncio
import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.conformance.bad_frames import HEADER, HELLO, FrameCase, own_codes
from tests.conformance.documented_service import KEY, SESSION_ID, documented_service
from tests.conformance.raw_websocket import BINARY, RawSocket, raw_frame, text

Protocol = Literal["ingest", "live", "socket_io"]
PROTOCOLS: tuple[Protocol, ...] = ("ingest", "live", "socket_io")

NOT_WEBSOCKET = frozenset({1000, 1002, 1005, 1007, 1009, 3000, 4999})
"""Close codes for frames against RFC 6455; a client's own close is echoed."""
REFUSALS = frozenset({1000, 1007, 1009, 1013, 4000, 4004, 4008, 4009, 4010})
"""Close codes of docs/protocols.md for a client's own mistakes."""

FRAMES_PER_ACK = 10
"""The good bot sends a frame after each case, and waits for its ack after so many: acks take time.
"""

SENTINEL = "is anybody there"
_HEARTBEAT = '42["service_message",{"type":"heartbeat"}]'
_ENGINE_IO_PING = 2
_GOOD_MESSAGE: dict[Protocol, bytes] = {
    "ingest": json.dumps({"type": "ping", "t": "good"}).encode(),
    "live": json.dumps({"type": "ping", "t": "good"}).encode(),
    "socket_io": b'42["service_message",{"type":"heartbeat"}]',
}


@dataclass
class Client:
    """A greeted connection of one protocol."""

    protocol: Protocol
    socket: RawSocket

    def is_answered(self) -> bool:
        """Whether it is answered, after whatever went before."""
        said = _HEARTBEAT if self.protocol == "socket_io" else {"type": "ping", "t": SENTINEL}
        self.socket.send(text(said))
        return self.socket.until(self._is_answer)

    def _is_answer(self, message: Any) -> bool:
        if self.protocol == "socket_io":
            if message == _ENGINE_IO_PING:
                self.socket.send(text("3"))
            return isinstance(message, str) and message.startswith('42["heartbeat_response"')
        return isinstance(message, dict) and message == {"type": "pong", "t": SENTINEL}

    def fatal_errors(self) -> list[Any]:
        return [
            one
            for one in self.socket.heard
            if isinstance(one, dict) and one.get("type") == "error" and one.get("fatal")
        ]


class Neighbourhood:
    """A running service with one good client of each protocol."""

    def __init__(self, host: str, good: ExitStack) -> None:
        self._host = host
        self._numbers = itertools.count()
        self._frames = 0
        self._good = [
            Client(one, good.enter_context(self.opened(one, "good" if one == "ingest" else "")))
            for one in PROTOCOLS
        ]

    @contextmanager
    def opened(self, protocol: Protocol, session_id: str = "") -> Iterator[RawSocket]:
        """A connection that has been greeted."""
        session_id = session_id or SESSION_ID
        path = "/socket.io/?EIO=4&transport=websocket"
        if protocol != "socket_io":
            path = f"/ws/{protocol}/{session_id}"
        with RawSocket.open(self._host, path, KEY) as socket:
            if protocol == "ingest":
                socket.send(text(HELLO))
                assert socket.until(lambda message: message["type"] in ("welcome", "ended"))
            elif protocol == "live":
                assert socket.next()["type"] == "snapshot"
            else:
                socket.send(text("40"))
                assert socket.until(lambda said: str(said).startswith('42["connected"'))
            yield socket

    def session(self) -> str:
        """A session of its own."""
        session_id = f"case-{next(self._numbers)}"
        connection = http.client.HTTPConnection(self._host, timeout=20)
        connection.request(
            "POST",
            "/api/sessions",
            json.dumps({"session_id": session_id}),
            {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        assert connection.getresponse().status == 201
        connection.close()
        return session_id

    def judge_message(self, protocol: Protocol, data: bytes) -> None:
        """One message of a greeted client is answered: by the protocol, or by an error and a close
        with a documented code."""
        session_id = self.session() if protocol == "ingest" else ""
        with self.opened(protocol, session_id) as socket:
            client = Client(protocol, socket)
            socket.send(data)
            if not client.is_answered():
                assert socket.close_code in REFUSALS, (data[:300], socket.close_code)
                told = client.fatal_errors() or socket.close_reason or _is_over(socket)
                assert told or protocol == "socket_io", (data[:300], socket.heard)
        self.assert_unharmed(data)

    def judge_first_message(self, data: bytes) -> None:
        """What comes in place of hello is answered."""
        with RawSocket.open(self._host, f"/ws/ingest/{self.session()}", KEY) as socket:
            client = Client("ingest", socket)
            socket.send(data)
            if not client.is_answered():
                assert socket.close_code in REFUSALS, (data[:300], socket.close_code)
                assert client.fatal_errors() or socket.close_code == 1009, data[:300]
        self.assert_unharmed(data)

    def judge_frames(self, protocol: Protocol, case: FrameCase) -> None:
        """Frames against RFC 6455 end their connection with a code; odd ones are served."""
        with self.opened(protocol) as socket:
            socket.send(case.data(_GOOD_MESSAGE[protocol]))
            if case.survives:
                assert Client(protocol, socket).is_answered(), (case.name, socket.close_code)
            else:
                assert not socket.until(lambda _: False)
                assert socket.close_code in NOT_WEBSOCKET, (case.name, socket.close_code)
        self.assert_unharmed(case.name)

    def judge_random_frame(self, protocol: Protocol, data: bytes) -> None:
        """Whatever a frame says, a close after it ends the connection in good order."""
        with self.opened(protocol) as socket:
            socket.send(data + raw_frame(0, final=True) + raw_frame(8, b"\x03\xe8"))
            assert not socket.until(lambda _: False)
            expected = NOT_WEBSOCKET | REFUSALS | own_codes(data)
            assert socket.close_code in expected, (data, socket.close_code)
        self.assert_unharmed(data)

    def judge_cut(self, protocol: Protocol, data: bytes) -> None:
        """A client that goes away in the middle of a frame is missed by nobody."""
        with self.opened(protocol) as socket:
            socket.send(data)
        self.assert_unharmed(data)

    def assert_unharmed(self, after: object) -> None:
        """Every good client is answered still, and the bot's audio is stored."""
        for client in self._good:
            assert client.is_answered(), (client.protocol, client.socket.close_code, after)
        bot = self._good[0].socket
        frame = HEADER.pack(1, 0, 0, self._frames, 160 * self._frames) + bytes(320)
        bot.send(raw_frame(BINARY, frame))
        seq, self._frames = self._frames, self._frames + 1
        if seq % FRAMES_PER_ACK == 0:
            assert bot.until(lambda said: _acks(said, seq)), after
        bot.heard.clear()


def _acks(said: Any, seq: int) -> bool:
    return bool(
        isinstance(said, dict)
        and said.get("type") == "ack"
        and any(one["upto"] >= seq for one in said["streams"])
    )


def _is_over(socket: RawSocket) -> bool:
    return any(isinstance(one, dict) and one.get("type") == "ended" for one in socket.heard)


@contextmanager
def neighbourhood(data_dir: Path) -> Iterator[Neighbourhood]:
    """The documented service in a thread of its own, with good clients."""
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()
    hosts: list[str] = []

    async def serve() -> None:
        async with documented_service(data_dir) as server:
            await server.session("good")
            hosts.append(server.host)
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            # It cancels what sleeps still, as the pings of closed Socket.IO connections do.
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(serve())
        finally:
            started.set()

    thread = threading.Thread(target=run, name="documented-service")
    thread.start()
    try:
        started.wait()
        with ExitStack() as good:
            yield Neighbourhood(hosts[0], good)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
