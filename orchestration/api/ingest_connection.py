"""A bot's connection, between the wire and its session.

One call to the session is under way per connection; what arrives meanwhile goes in the next. A
call that fails because the session's actor restarts is made again: the session stores each frame
and fact once, however often it comes.
"""

import asyncio
import time
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestration.api import wire
from orchestration.api.connection import (
    IdleWatch,
    first_of,
)
from orchestration.api.ingest_queue import FactRate, IngestQueue
from orchestration.api.server_messages import (
    ack_message,
    encode_message,
    ended_message,
    error_message,
    goaway_message,
    nack_message,
    pong_message,
    stream_open_message,
    unknown_type_message,
    welcome_message,
)
from orchestration.api.session_line import SessionIsOver, SessionLine
from orchestration.audio.pcm import PcmFormat
from orchestration.config.models import IngestSettings
from orchestration.errors import BadAudio, BadRequest, LimitReached, SessionEnded, TakenOver
from orchestration.json_types import JsonObject
from orchestration.session.exchange import IngestBatch, Notice
from orchestration.session.inputs import EndOfStreams, StreamSpec
from orchestration.timing.service_clock import ServiceClock

PUSH_INTERVAL_S = 0.2
"""From one call to the session to the next while a sender is in real time. What comes in between
shares a call and a commit; what comes after a longer silence does not wait."""
PLENTY_BYTES = 65_536
"""So much does not wait for more: 2 s of 16 kHz, so the sender is catching up."""


@dataclass(slots=True)
class Tally:
    """What one connection brought, for its line in the log."""

    frames: int = 0
    audio_bytes: int = 0
    facts: int = 0
    unknown_messages: int = 0


class IngestConnection:
    """One bot's connection, from the upgrade to the close."""

    def __init__(
        self,
        websocket: WebSocket,
        line: SessionLine,
        connection_id: str,
        limits: IngestSettings,
        idle: IdleWatch,
    ) -> None:
        self._websocket = websocket
        self._line = line
        self._connection_id = connection_id
        self._limits = limits
        self._idle = idle
        # Twice a batch: one can be on its way while the next gathers.
        # Half a window at most is lingered over, or a sender with a small one would wait for us.
        self._queue = IngestQueue(
            2 * limits.max_batch_bytes,
            plenty_bytes=PLENTY_BYTES,
            plenty_items=max(1, limits.window_frames // 2),
        )
        self._fact_rate = FactRate(limits.max_facts_per_s, asyncio.get_running_loop().time())
        self._told_of_fact_rate = False
        self._formats: dict[int, PcmFormat] = {}
        self._streams: set[int] = set()
        self._pushing = asyncio.Lock()
        self._clock = ServiceClock.anchored(time.time_ns(), time.monotonic_ns())
        self.tally = Tally()

    async def converse(self) -> None:
        """Serve the sender until all is said; returns once `ended` was sent.

        Raises:
            WebSocketDisconnect: the sender went away.
            OrchestrationError: what ends the connection.
        """
        try:
            hello = await self._hello()
            self._formats = {spec.stream: spec.format for spec in hello.streams}
            welcome = await self._line.connect(hello.streams)
            self._streams = {position.stream for position in welcome.streams}
            await self._send(welcome_message(welcome, self._limits))
            await first_of(self._read(), self._push(), self._listen(), self._idle.watch())
        except SessionIsOver as over:
            await self._say_ended(over.notice)

    # From the sender

    async def _hello(self) -> wire.Hello:
        try:
            async with asyncio.timeout(self._limits.hello_timeout_s):
                message = await self._receive()
        except TimeoutError:
            raise BadRequest(
                f"No hello came within {self._limits.hello_timeout_s:g} s.",
                {"limit": "hello_timeout_s", "max": self._limits.hello_timeout_s},
            ) from None
        if isinstance(message, str):
            hello = wire.parse_client_message(message, self._limits)
            if isinstance(hello, wire.Hello):
                return hello
        raise BadRequest("The first message must be hello.", {"expected": "hello"})

    async def _receive(self) -> str | bytes:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        self._idle.touch()
        text = message.get("text")
        return text if isinstance(text, str) else bytes(message["bytes"])

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            received_ns = self._clock.unix_ns(time.monotonic_ns())
            if isinstance(message, bytes):
                await self._on_frame(message, received_ns)
            else:
                await self._on_message(message, received_ns)

    async def _on_frame(self, data: bytes, received_ns: int) -> None:
        frame = wire.parse_frame(data, self._limits.max_frame_bytes)
        pcm_format = self._formats.get(frame.stream)
        if pcm_format is not None:
            wire.check_whole_samples(frame, pcm_format)
        elif frame.stream not in self._streams:
            raise BadAudio(f"Stream {frame.stream} was not opened.", {"stream": frame.stream})
        self.tally.frames += 1
        self.tally.audio_bytes += len(frame.payload)
        await self._queue.put(frame, len(data), received_ns)

    async def _on_message(self, text: str, received_ns: int) -> None:
        message = wire.parse_client_message(text, self._limits)
        match message:
            case wire.Ping():
                await self._send(pong_message(message))
            case wire.OpenStream(stream=spec):
                await self._open_stream(spec)
            case wire.UnknownMessage():
                self.tally.unknown_messages += 1
                await self._send(unknown_type_message(message))
            case wire.Hello():
                raise BadRequest("hello is said once.", {"field": "type"})
            case EndOfStreams():
                await self._queue.put(message, len(text), received_ns)
            case _:
                self.tally.facts += 1
                await self._await_fact_rate()
                await self._queue.put(message, len(text), received_ns)

    async def _open_stream(self, spec: StreamSpec) -> None:
        position = await self._line.call(lambda link: link.open_stream(self._connection_id, spec))
        self._line.add_stream(spec)
        self._formats[spec.stream] = spec.format
        self._streams.add(spec.stream)
        await self._send(stream_open_message(position))

    async def _await_fact_rate(self) -> None:
        delay_s = self._fact_rate.delay_s(asyncio.get_running_loop().time())
        if not delay_s:
            return
        if not self._told_of_fact_rate:
            self._told_of_fact_rate = True
            limit = self._limits.max_facts_per_s
            error = LimitReached(
                f"More than {limit} facts a second: they are taken in at that rate.",
                {"limit": "max_facts_per_s", "max": limit},
            )
            await self._send(error_message(error, fatal=False))
        await asyncio.sleep(delay_s)

    # To the session and back

    async def _push(self) -> None:
        loop = asyncio.get_running_loop()
        next_push_s = 0.0
        while True:
            batch = await self._queue.take(self._limits.max_batch_bytes, next_push_s)
            next_push_s = loop.time() + PUSH_INTERVAL_S
            async with self._pushing:
                await self._push_one(batch)

    async def _push_one(self, batch: IngestBatch) -> None:
        try:
            reply = await self._line.call(lambda link: link.push(self._connection_id, batch))
        except SessionEnded:
            # An `end` or a frame said again met the completion: `ended` is on its way.
            return
        await self._send(ack_message(reply))
        for stream, expected in reply.nacks:
            await self._send(nack_message(stream, expected))
        if reply.error is not None:
            raise reply.error

    async def _listen(self) -> None:
        while True:
            notice = await self._line.call(lambda link: link.notice(self._connection_id))
            if notice.kind == "ended":
                # The last acks come before the farewell.
                async with self._pushing:
                    await self._say_ended(notice)
                return
            if notice.kind == "taken_over":
                raise TakenOver("A newer connection serves this session.")
            if notice.kind == "goaway":
                await self._send(goaway_message(notice))

    async def _say_ended(self, notice: Notice) -> None:
        await self._send(ended_message(notice.coverage or {"streams": []}))

    async def _send(self, message: JsonObject) -> None:
        self._idle.touch()
        await self._websocket.send_text(encode_message(message))
