"""A WebSocket client that writes whatever bytes it is told to (RFC 6455); it blocks."""

import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PATIENCE_S = 60.0
MASK = b"\x11\x22\x33\x44"
_GONE = (ConnectionResetError, BrokenPipeError)


def raw_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    masked: bool = True,
    declared: int | None = None,
) -> bytes:
    """One frame. `declared` is the length that it says, where that is not the payload's."""
    size = len(payload) if declared is None else declared
    first = (0x80 if final else 0) | reserved << 4 | opcode
    bit = 0x80 if masked else 0
    if size < 126:
        header = struct.pack(">BB", first, bit | size)
    elif size < 65_536:
        header = struct.pack(">BBH", first, bit | 126, size)
    else:
        header = struct.pack(">BBQ", first, bit | 127, size)
    if not masked:
        return header + payload
    key = (MASK * (len(payload) // 4 + 1))[: len(payload)]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return header + MASK + hidden.to_bytes(len(payload), "big")


def text(message: Any) -> bytes:
    """A whole text frame of JSON, or of the text that is given."""
    said = message if isinstance(message, str) else json.dumps(message)
    return raw_frame(TEXT, said.encode("utf-8", "surrogatepass"))


@dataclass
class RawSocket:
    """An open WebSocket, and what was said on it; `close_code` is None until the other end closed,
    1006 when it did so without a word."""

    connection: socket.socket
    heard: list[Any] = field(default_factory=list)
    close_code: int | None = None
    close_reason: str = ""
    _buffer: bytes = b""

    @classmethod
    def open(cls, host: str, path: str, key: str) -> Self:
        name, _, port = host.partition(":")
        connection = socket.create_connection((name, int(port)), timeout=PATIENCE_S)
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        connection.sendall(request.encode())
        opened = cls(connection)
        answer = opened._until(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101"), answer
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        """Bytes as they are; what nobody reads any more is dropped."""
        try:
            self.connection.sendall(data)
        except _GONE:
            return

    def next(self) -> Any:
        """The next message (JSON where it is that), or None once the other end has closed."""
        while self.close_code is None:
            opcode, payload = self._frame()
            if opcode == CLOSE:
                self.close_code = struct.unpack(">H", payload[:2])[0] if payload else 1005
                self.close_reason = payload[2:].decode()
                self.send(raw_frame(CLOSE, payload[:2]))
            elif opcode == PING:
                self.send(raw_frame(PONG, payload))
            elif opcode == PONG:
                self.heard.append(("pong", payload))
                return self.heard[-1]
            elif opcode == TEXT:
                try:
                    said = json.loads(payload)
                except ValueError:
                    said = payload.decode()
                self.heard.append(said)
                return said
        return None

    def until(self, wanted: Any) -> bool:
        """Whether a message for which `wanted` holds comes before the close."""
        while (message := self.next()) is not None:
            if wanted(message):
                return True
        return False

    def _frame(self) -> tuple[int, bytes]:
        try:
            first, second = self._take(2)
            size = second & 0x7F
            if size == 126:
                size = struct.unpack(">H", self._take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._take(8))[0]
            return first & 0x0F, self._take(size)
        except (EOFError, *_GONE):
            return CLOSE, struct.pack(">H", 1006)

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._read()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._read()
        taken, _, self._buffer = self._buffer.partition(mark)
        return taken

    def _read(self) -> None:
        data = self.connection.recv(65_536)
        if not data:
            raise EOFError
        self._buffer += data
