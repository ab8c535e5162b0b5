"""A bot's connection to its session: IngestProtocol on an aiohttp WebSocket.

    async with BotConnection(client, session_id, streams) as bot:
        bot.add_audio(0, pcm)
        ...
        coverage = await bot.end()

Feeding never blocks and never fails for want of a connection: what the service has not acked is
held and sent again. A bot that could feed faster than real time waits with `wait_for_room`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self
from urllib.parse import quote

import aiohttp

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest_events import IngestEvent
from orchestration.client.ingest_protocol import IngestProtocol
from orchestration.client.problems import named
from orchestration.errors import LimitReached, OrchestrationError, ServiceUnreachable, Unavailable
from orchestration.json_types import JsonObject
from orchestration.session.inputs import Fact, StreamSpec

LOOK_INTERVAL_S = 1
"""Between two looks at whether a connection is to be given up, whatever its sending waits for."""

RETRIED = (ServiceUnreachable, Unavailable, LimitReached)
"""Refusals that time may mend; any other ends the connection for good."""


class BotConnection:
    """One bot's sending side of one session, which survives any number of lost connections.

    Every method raises the error that ended the connection for good, once there is one.
    """

    def __init__(
        self,
        client: OrchestrationClient,
        session_id: str,
        streams: Sequence[StreamSpec],
        *,
        on_event: Callable[[IngestEvent], None] = lambda event: None,
    ) -> None:
        """`on_event` is called in the connection's task; what it raises ends the connection."""
        self.protocol = IngestProtocol(streams, now_ns=time.monotonic_ns())
        self._client = client
        self._session_id = session_id
        self._path = f"/ws/ingest/{quote(session_id, safe='')}"
        self._on_event = on_event
        self._wake = asyncio.Event()
        self._progress = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def add_audio(self, stream: int, payload: bytes) -> None:
        """Audio as captured, in the stream's format, right behind what came before."""
        self._check()
        self.protocol.add_audio(stream, payload)
        self._wake.set()

    def skip_samples(self, stream: int, samples: int) -> None:
        """Capture missed this much before the audio that comes next."""
        self._check()
        self.protocol.skip_samples(stream, samples)

    def add_fact(self, fact: Fact) -> bool:
        """A fact, numbered here; False when too many are unacked and it was dropped."""
        self._check()
        taken = self.protocol.add_fact(fact)
        self._wake.set()
        return taken

    def open_stream(self, spec: StreamSpec) -> None:
        """One more audio source."""
        self._check()
        self.protocol.open_stream(spec)
        self._wake.set()

    async def wait_for_room(self, stream: int) -> None:
        """Until little enough of the stream is unacked that more should be added."""
        await self._wait_until(lambda: self.protocol.streams[stream].has_room)

    async def end(self) -> JsonObject:
        """Say that nothing more comes, and wait until all is stored; returns the coverage."""
        self.protocol.end()
        self._wake.set()
        await self._wait_until(lambda: self.protocol.coverage is not None)
        return self.protocol.coverage or {}

    async def _wait_until(self, reached: Callable[[], bool]) -> None:
        async with self._progress:
            await self._progress.wait_for(lambda: reached() or self._error is not None)
        self._check()

    @property
    def _error(self) -> Exception | None:
        return self._failure or self.protocol.error

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    async def _run(self) -> None:
        try:
            await self._keep_connected()
        except Exception as failure:
            # Nobody awaits this task before its end: whoever waits for progress has to hear of it.
            self._failure = failure
            async with self._progress:
                self._progress.notify_all()

    async def _keep_connected(self) -> None:
        protocol = self.protocol
        while protocol.phase not in ("ended", "failed"):
            await asyncio.sleep(max(0, protocol.connect_at_ns - time.monotonic_ns()) / 1e9)
            close_code: int | None = None
            try:
                async with self._client.websocket(self._path) as socket:
                    await self._serve(socket)
                close_code = socket.close_code
            except RETRIED:
                pass
            except OrchestrationError as refusal:
                protocol.fail(named(refusal, self._session_id))
            protocol.connection_lost(time.monotonic_ns(), close_code)
            await self._announce()

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.protocol.connected(time.monotonic_ns())
        receiving = asyncio.create_task(self._receive(socket))
        sending = asyncio.create_task(self._send(socket))
        tasks = (receiving, sending)
        try:
            done: set[asyncio.Task[None]] = set()
            # Who sends may wait for a network that takes nothing, and does not look itself then.
            while not done and not self.protocol.should_close(time.monotonic_ns()):
                done, _ = await asyncio.wait(
                    tasks, timeout=LOOK_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if receiving in done:
            receiving.result()
        if sending in done:
            with suppress(aiohttp.ClientError, OSError):  # The connection broke under it.
                sending.result()

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                decoded = json.loads(message.data)
            except ValueError:
                decoded = None
            self.protocol.received(decoded, time.monotonic_ns())
            self._wake.set()
            await self._announce()

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        protocol = self.protocol
        while not protocol.should_close(time.monotonic_ns()):
            self._wake.clear()
            while (data := protocol.next_outgoing(time.monotonic_ns())) is not None:
                if isinstance(data, bytes):
                    await socket.send_bytes(data)
                else:
                    await socket.send_str(data)
            wait_ns = max(0, protocol.wake_ns() - time.monotonic_ns())
            # Not wait_for: in Python 3.11 that loses a cancellation which comes with the wake.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_ns / 1e9):
                    await self._wake.wait()

    async def _announce(self) -> None:
        for event in self.protocol.drain_events():
            self._on_event(event)
        async with self._progress:
            self._progress.notify_all()
