"""Many WebSocket or Socket.IO clients in one process, as light as they can be.

    python -m tests.benchmarks.fan_out_clients PORT live|socketio|viewers COUNT

`live` view the session natively, `viewers` join it by Socket.IO, `socketio` only connect. It prints
a line when all are there; a line on its input has it print what came since: deliveries, and their
p50 and p99 in milliseconds from telling to arrival.
"""

import asyncio
import re
import sys
import time
from typing import cast

import uvloop

from tests.benchmarks.figures import percentile

OPENING_AT_ONCE = 50
SENT = re.compile(rb'"sent_ns":(\d+)')
MASK = b"\0\0\0\0"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
JOIN = b'42["service_message",{"type":"join_session","session_id":"s1"}]'
PATHS = {"live": "/ws/live/s1", "socketio": "/socket.io/?EIO=4&transport=websocket"}


class Client(asyncio.Protocol):
    """One client; the mask of zeros is as good as any to a server, and costs nothing here."""

    def __init__(self, kind: str, port: int, latencies_ms: list[float]) -> None:
        self._kind = kind
        self._port = port
        self._latencies_ms = latencies_ms
        self._waiting = b""
        self._upgraded = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def itself(self) -> "Client":
        """As the factory of its own connection."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not say that they are asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        path = PATHS.get(self._kind, PATHS["socketio"])
        self._transport.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("not let in"))
        else:
            print("a client was cut off", file=sys.stderr)

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        data = self._waiting + data
        if not self._upgraded:
            head, blank, data = data.partition(b"\r\n\r\n")
            if not blank:
                self._waiting = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head.decode())
            self._upgraded = True
        at = 0
        while len(data) - at >= 2:
            size, begin = data[at + 1] & 127, at + 2
            if size > 125:
                width = 2 if size == 126 else 8
                if len(data) < begin + width:
                    break
                size, begin = int.from_bytes(data[begin : begin + width], "big"), begin + width
            if len(data) < begin + size:
                break
            self._take(data[at] & 15, data[begin : begin + size], now_ns)
            at = begin + size
        self._waiting = data[at:]

    def _take(self, opcode: int, payload: bytes, now_ns: int) -> None:
        if opcode == PING:
            self._send(payload, PONG)
        elif opcode != TEXT:
            return
        elif sent := SENT.search(payload):
            self._latencies_ms.append((now_ns - int(sent[1])) / 1e6)
        elif self._kind == "live" or payload.startswith(b'42["snapshot"'):
            self._arrived()
        elif payload == b"2":
            self._send(b"3")
        elif payload.startswith(b"0"):
            self._send(b"40")
        elif payload.startswith(b"40"):
            if self._kind == "viewers":
                self._send(JOIN)
            else:
                self._arrived()

    def _arrived(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def _send(self, payload: bytes, opcode: int = TEXT) -> None:
        self._transport.write(bytes((128 | opcode, 128 | len(payload))) + MASK + payload)


async def main() -> None:
    port, kind, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    latencies_ms: list[float] = []
    loop = asyncio.get_running_loop()
    for begin in range(0, count, OPENING_AT_ONCE):
        clients = [
            Client(kind, port, latencies_ms)
            for _ in range(begin, min(count, begin + OPENING_AT_ONCE))
        ]
        await asyncio.gather(
            *(loop.create_connection(one.itself, "127.0.0.1", port) for one in clients)
        )
        await asyncio.gather(*(client.ready for client in clients))
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        said = latencies_ms or [0.0]
        print(len(latencies_ms), percentile(said, 0.5), percentile(said, 0.99), flush=True)
        latencies_ms.clear()
    sys.exit(0)


if __name__ == "__main__":
    uvloop.run(main())
