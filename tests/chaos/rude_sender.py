"""A bot that speaks the ingest protocol as a bad network and a bad programmer would.

It sends frames twice, too early and too late, and frames of impossible sizes, for which the
service hangs up on it; then it comes back.
"""

import asyncio
import contextlib
import json
import random
from collections import Counter
from typing import Any, Literal

import aiohttp

from orchestration.audio.pcm import PcmFormat
from orchestration.client.api import OrchestrationClient
from orchestration.client.player import FRAME_MS
from orchestration.client.wire import encode, frame_bytes, hello_message
from orchestration.errors import OrchestrationError
from orchestration.json_types import JsonObject
from orchestration.session.inputs import StreamSpec
from tests.chaos.coded_audio import CodedMeeting

Fault = Literal["repeated", "reordered", "corrupted"]

SHARE: tuple[tuple[Fault, float], ...] = (
    ("repeated", 0.05),
    ("reordered", 0.03),
    ("corrupted", 0.01),
)
"""Of the frames, what is done to them."""
FURTHEST_REPEAT = 50
IDLE_S = 0.01


class RudeSender:
    """Sends a meeting as stream 0 of a session, `speed` times as fast as it was spoken."""

    def __init__(
        self,
        client: OrchestrationClient,
        session_id: str,
        meeting: CodedMeeting,
        rng: random.Random,
        *,
        speed: float,
    ) -> None:
        self.faults: Counter[str] = Counter()
        self.connections = 0
        self._client = client
        self._path = f"/ws/ingest/{session_id}"
        self._rng = rng
        self._spec = StreamSpec(0, PcmFormat("s16le", meeting.sample_rate, 1), None)
        size = FRAME_MS * meeting.sample_rate // 1000
        audio = meeting.samples.astype("<i2")
        self._frames = [
            frame_bytes(0, seq, first, audio[first : first + size].tobytes())
            for seq, first in enumerate(range(0, len(audio), size))
        ]
        self._frame_s = FRAME_MS / 1000 / speed
        self._next = 0
        self._upto = -1
        self._window = 0
        self._welcomed = asyncio.Event()
        self._coverage: JsonObject | None = None

    async def send_all(self) -> JsonObject:
        """Everything, however many connections it takes; the coverage."""
        while self._coverage is None:
            self.connections += 1
            self._welcomed.clear()
            with contextlib.suppress(OrchestrationError, ConnectionError):
                async with self._client.websocket(self._path) as socket:
                    await self._converse(socket)
            await asyncio.sleep(IDLE_S)
        return self._coverage

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_str(encode(hello_message([self._spec])))
        tasks = [
            asyncio.create_task(self._receive(socket)),
            asyncio.create_task(self._send(socket)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._take(json.loads(message.data))

    def _take(self, message: Any) -> None:
        match message["type"]:
            case "welcome":
                for position in message["streams"]:
                    self._next = position["next_seq"]
                    self._upto, self._window = position["next_seq"] - 1, position["window"]
                self._welcomed.set()
            case "ack":
                for ack in message["streams"]:
                    self._upto, self._window = ack["upto"], ack["window"]
            case "nack":
                self._next = message["expected"]
            case "ended":
                self._coverage = message["coverage"]

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await self._welcomed.wait()
        while self._upto < len(self._frames) - 1:
            if self._next < min(len(self._frames), self._upto + 1 + self._window):
                await self._send_next(socket)
                await asyncio.sleep(self._frame_s)
            else:
                await asyncio.sleep(IDLE_S)
        last: JsonObject = {"id": 0, "last_seq": len(self._frames) - 1}
        await socket.send_str(encode({"type": "end", "streams": [last], "last_fact": -1}))
        await asyncio.Event().wait()

    async def _send_next(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        seq = self._next
        self._next += 1
        fault = self._draw()
        if fault is not None:
            self.faults[fault] += 1
        match fault:
            case "repeated":
                earlier = self._rng.randint(max(0, seq - FURTHEST_REPEAT), seq)
                for one in (seq, earlier, seq):
                    await socket.send_bytes(self._frames[one])
            case "reordered":
                # Its successor first, if there is one.
                for one in (min(seq + 1, len(self._frames) - 1), seq):
                    await socket.send_bytes(self._frames[one])
            case "corrupted":
                await socket.send_bytes(self._corrupted(self._frames[seq]))
            case None:
                await socket.send_bytes(self._frames[seq])

    def _draw(self) -> Fault | None:
        drawn = self._rng.random()
        for fault, share in SHARE:
            if drawn < share:
                return fault
            drawn -= share
        return None

    def _corrupted(self, frame: bytes) -> bytes:
        """A frame that is no frame any more: half a sample short or long, no audio, no header."""
        return self._rng.choice((frame[:-1], frame + b"\0", frame[:20], frame[:7]))
