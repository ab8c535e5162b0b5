"""The other end of docs/protocols.md, built from that page alone: what the service says is kept as
it came, and nothing is retried, repaired or hidden.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import aiohttp
import numpy as np
import soundfile
from numpy.typing import NDArray

HEADER = struct.Struct(">BBHQQ")
"""version, flags, stream, seq, first_sample."""
PATIENCE_S = 60
"""No test waits longer for one message or condition."""
POLL_S = 0.05
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

Json = dict[str, Any]
Samples = NDArray[np.int16]


def frame(
    seq: int, first_sample: int, pcm: bytes, *, stream: int = 0, version: int = 1, flags: int = 0
) -> bytes:
    """One binary message."""
    return HEADER.pack(version, flags, stream, seq, first_sample) + pcm


def stream(
    number: int = 0, rate: int = 16_000, encoding: str = "s16le", channels: int = 1, **more: Any
) -> Json:
    """A stream as `hello` and `stream` describe it."""
    return {
        "id": number,
        "encoding": encoding,
        "sample_rate": rate,
        "channels": channels,
        **more,
    }


def hello(*streams: Json, protocol: Any = 1) -> Json:
    """The first message; without streams, one of 16 kHz mono s16le."""
    return {"type": "hello", "protocol": protocol, "streams": list(streams or (stream(),))}


def end(last_seqs: Mapping[int, int], last_fact: int = -1) -> Json:
    """The announcement that nothing follows."""
    streams = [{"id": number, "last_seq": last_seq} for number, last_seq in last_seqs.items()]
    return {"type": "end", "streams": streams, "last_fact": last_fact}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; also one given instead of an upgrade."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        parsed: Json = json.loads(self.body)
        return parsed

    def problem(self) -> tuple[int, str]:
        """Status and code of a whole RFC 9457 body."""
        assert self.headers["Content-Type"].split(";")[0] == "application/problem+json"
        body = self.json
        assert {"type", "title", "status", "detail", "code"} <= body.keys()
        assert body["status"] == self.status
        assert body["detail"]
        return self.status, body["code"]

    def recording(self) -> tuple[Samples, int]:
        """The samples of a FLAC file, and their rate."""
        samples, rate = soundfile.read(BytesIO(self.body), dtype="int16")
        return samples, rate


class Socket:
    """A WebSocket of the service, and all it has said so far."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.heard: list[Json] = []
        self.upto: dict[int, int] = {}
        self.facts = -1

    async def say(self, message: Json | str) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self._socket.send_str(text)

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    async def send_invalid_utf8(self) -> None:
        """A text message of bytes that are no text."""
        await self._socket.send_frame(b'{"type": "\xff\xfe"}', aiohttp.WSMsgType.TEXT)

    def cut(self) -> None:
        """Lose the connection as a cable does: without a close frame."""
        self._socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async def next(self) -> Json | None:
        """The next message, or None once the connection is closed."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return None
        said: Json = json.loads(message.data)
        self.heard.append(said)
        if said["type"] == "ack":
            self.upto |= {one["id"]: one["upto"] for one in said["streams"]}
            self.facts = said["facts"]
        return said

    async def until(self, kind: str, **fields: Any) -> Json:
        """The next message of this type that has these values; others are passed over."""
        while (message := await self.next()) is not None:
            if message["type"] == kind and fields.items() <= message.items():
                return message
        raise AssertionError(f"closed with {self._socket.close_code} before {kind}: {self.heard}")

    async def acked(self, upto: int, number: int = 0) -> None:
        """Until this frame of a stream is acked."""
        while self.upto.get(number, -1) < upto:
            await self.until("ack")

    async def facts_acked(self, upto: int) -> None:
        """Until this fact is acked."""
        while self.facts < upto:
            await self.until("ack")

    async def closed(self) -> int | None:
        """The close code, after all that was said before it."""
        while await self.next() is not None:
            pass
        return self._socket.close_code

    async def failed(self) -> tuple[str, int | None]:
        """The code of the one fatal error, and the close code after it."""
        code = await self.closed()
        fatal = [one for one in self.heard if one["type"] == "error" and one["fatal"]]
        assert len(fatal) == 1, self.heard
        assert self.heard[-1] is fatal[0]
        assert fatal[0]["message"]
        return fatal[0]["code"], code

    async def greeted(self, *streams: Json) -> Json:
        """Say hello; the welcome."""
        await self.say(hello(*streams))
        return await self.until("welcome")

    async def ended(self) -> list[Json]:
        """The coverage of the farewell, which the close with 1000 follows."""
        coverage: list[Json] = (await self.until("ended"))["coverage"]["streams"]
        assert await self.closed() == 1000
        return coverage


class Service:
    """One running service, spoken to with or without a key."""

    def __init__(self, url: str, http: aiohttp.ClientSession, key: str | None = None) -> None:
        self.url = url
        self._http = http
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, key: str | None = None) -> AsyncIterator[Self]:
        """A client of its own: no cookie is kept."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield cls(url, http, key)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, without following redirects."""
        async with (
            asyncio.timeout(PATIENCE_S),
            self._http.request(
                method,
                self.url + path,
                json=body,
                data=data,
                headers={**self._headers, **(headers or {})},
                allow_redirects=False,
            ) as answer,
        ):
            return Answer(answer.status, answer.headers.copy(), await answer.read())

    async def get(self, path: str) -> Json:
        """The JSON of a 200."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    async def create(self, session_id: str, **more: Any) -> Json:
        """A new session."""
        answer = await self.ask("POST", "/api/sessions", {"session_id": session_id, **more})
        assert answer.status == 201, answer.body
        return answer.json

    async def status_is(self, session_id: str, *wanted: str) -> str:
        """Wait for one of these statuses."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status: str = (await self.get(f"/api/sessions/{session_id}"))["status"]
                if status in wanted:
                    return status
                await asyncio.sleep(POLL_S)

    async def events(self, session_id: str) -> list[Json]:
        """The durable events so far."""
        items: list[Json] = (await self.get(f"/api/sessions/{session_id}/events"))["items"]
        return items

    @asynccontextmanager
    async def socket(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Socket]:
        """An open WebSocket."""
        url = "ws" + self.url.removeprefix("http") + path
        async with self._http.ws_connect(
            url, headers={**self._headers, **(headers or {})}, max_msg_size=0
        ) as opened:
            yield Socket(opened)

    async def knock(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for an upgrade and leave: 101, or what refuses it."""
        async with (
            asyncio.timeout(PATIENCE_S),
            self._http.get(
                self.url + path, headers={**UPGRADE, **self._headers, **(headers or {})}
            ) as answer,
        ):
            body = b"" if answer.status == 101 else await answer.read()
            answer.close()
            return Answer(answer.status, answer.headers.copy(), body)

    @asynccontextmanager
    async def ingest(self, session_id: str) -> AsyncIterator[Socket]:
        async with self.socket(f"/ws/ingest/{session_id}") as opened:
            yield opened

    @asynccontextmanager
    async def live(self, session_id: str, after: int | None = None) -> AsyncIterator[Socket]:
        query = "" if after is None else f"?after={after}"
        async with self.socket(f"/ws/live/{session_id}{query}") as opened:
            yield opened
