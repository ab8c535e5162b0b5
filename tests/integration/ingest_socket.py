"""The ingest WebSocket as a bot in a test speaks it: one stream of 20 ms frames."""

from typing import Any

import aiohttp

from orchestration.client.wire import frame_bytes
from orchestration.json_types import JsonObject

STREAM: JsonObject = {"id": 0, "encoding": "s16le", "sample_rate": 16000, "channels": 1}
HELLO: JsonObject = {"type": "hello", "protocol": 1, "streams": [STREAM]}
FRAME_SAMPLES = 320


def frame(seq: int, fill: int = 1) -> bytes:
    payload = bytes([fill]) * 2 * FRAME_SAMPLES
    return frame_bytes(0, seq, seq * FRAME_SAMPLES, payload)


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
