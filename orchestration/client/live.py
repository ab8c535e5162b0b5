"""Watching a session: every durable event exactly once, whatever happens to the connection."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import aiohttp

from orchestration.client.api import OrchestrationClient
from orchestration.client.backoff import Backoff
from orchestration.client.problems import error_for_close, named
from orchestration.errors import LimitReached, ServiceUnreachable, Unavailable, UnknownSession
from orchestration.json_types import JsonObject

PING_INTERVAL_S = 10
SILENCE_LIMIT_S = 30
"""A connection that brings nothing for this long, not even a pong, is given up."""

UNREACHABLE_TRIES = 3
"""Attempts before the first message; once something was seen, tries go on for ever."""


class LiveCursor:
    """The last durable event seen, and whether a message is news. Pure."""

    def __init__(self, after: int | None = None) -> None:
        self.seq = after

    def admit(self, message: JsonObject) -> bool:
        """Whether the reader should see this message.

        Raises:
            LiveHole: an event is missing; resume from `seq`.
        """
        match message.get("type"), message.get("seq"):
            case "snapshot", int(seq):
                self.seq = seq
                return True
            case (("resumed" | "pong"), _):
                return False
            case _, int(seq):
                if self.seq is not None and seq <= self.seq:
                    return False
                if self.seq is not None and seq > self.seq + 1:
                    raise LiveHole
                self.seq = seq
                return True
        return True


class PendingSegments:
    """What is pending, as the reader was told. Pure."""

    def __init__(self) -> None:
        self._by_stream: dict[Any, Any] = {}

    def take(self, message: dict[str, Any]) -> None:
        """A message that the reader sees."""
        match message:
            case {"type": "snapshot"}:
                self._by_stream.clear()
            case {"type": "segment", "segment": {"state": "pending"} as segment}:
                self._by_stream[segment.get("stream")] = segment.get("segment_id")
            case {"type": "segment", "segment": {"stream": stream}}:
                self._by_stream.pop(stream, None)

    def retracted(self) -> list[JsonObject]:
        """That nothing of it is pending any more."""
        segment_ids = list(self._by_stream.values())
        self._by_stream.clear()
        return [{"type": "retract", "segment_id": segment_id} for segment_id in segment_ids]


class LiveHole(Exception):
    """A durable event did not arrive; caught here, where the connection is made anew."""


class LiveWatcher:
    """Live messages of one session; `after` resumes behind a durable event seen before."""

    def __init__(
        self,
        client: OrchestrationClient,
        session_id: str,
        after: int | None = None,
        *,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._session_id = session_id
        self._path = f"/ws/live/{quote(session_id, safe='')}"
        self._cursor = LiveCursor(after)
        self._pending = PendingSegments()
        self._backoff = Backoff(uniform)
        self._finished = False
        self._seen = False
        self._failures = 0

    async def messages(self) -> AsyncGenerator[JsonObject, None]:
        """Snapshots, durable and passing events, until the session has completed or failed."""
        while not self._finished:
            try:
                async with aclosing(self._connection()) as connection:
                    async for message in connection:
                        self._backoff.reset()
                        yield message
            except UnknownSession as error:
                raise named(error, self._session_id) from None
            except (ServiceUnreachable, Unavailable, LimitReached):
                self._failures += 1
                if not self._seen and self._failures >= UNREACHABLE_TRIES:
                    raise
            except LiveHole:
                pass
            if not self._finished:
                await asyncio.sleep(self._backoff.wait_ns() / 1e9)

    async def _connection(self) -> AsyncGenerator[JsonObject, None]:
        async with self._client.websocket(self._path, {"after": self._cursor.seq}) as socket:
            pings = asyncio.create_task(_ping(socket))
            try:
                while (message := await _receive(socket)) is not None:
                    self._seen = True
                    if message.get("type") == "resumed":
                        for retracted in self._pending.retracted():
                            yield retracted
                    if self._cursor.admit(message):
                        self._pending.take(message)
                        yield message
            finally:
                pings.cancel()
                await asyncio.gather(pings, return_exceptions=True)
        self._judge(socket.close_code)

    def _judge(self, close_code: int | None) -> None:
        if close_code == 1000:
            self._finished = True
            return
        fatal = error_for_close(close_code)
        if fatal is not None:
            raise fatal
        if not self._seen:
            raise ServiceUnreachable(
                "What answers closes the connection before it has said anything.",
                {"close_code": close_code},
            )


async def watch(
    client: OrchestrationClient, session_id: str, after: int | None = None
) -> AsyncGenerator[JsonObject, None]:
    """Live messages of a session until it has completed.

    The first is a `snapshot`, unless `after` names the last durable event already seen. Each
    durable event comes exactly once; lost connections are made again and resumed. What was pending
    when one was lost is retracted, and told anew if it is pending still.

    Raises:
        UnknownSession: no session has this id.
        ServiceUnreachable: nothing answers, or nothing that is the service.
    """
    async with aclosing(LiveWatcher(client, session_id, after).messages()) as messages:
        async for message in messages:
            yield message


async def _receive(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any] | None:
    """The next message, or None when the service has closed the connection or lost it.

    Raises:
        ServiceUnreachable: it is silent, or brings what is no message, and to be closed from here.
            How the service answers that close says nothing of the session.
    """
    while True:
        try:
            message = await socket.receive(SILENCE_LIMIT_S)
        except TimeoutError:
            raise ServiceUnreachable(
                f"Nothing has come for {SILENCE_LIMIT_S} s.", {"silence_s": SILENCE_LIMIT_S}
            ) from None
        if message.type is aiohttp.WSMsgType.TEXT:
            try:
                decoded = json.loads(message.data)
            except ValueError:
                decoded = None
            if not isinstance(decoded, dict):
                raise ServiceUnreachable("What answers sends no messages of this protocol.")
            return decoded
        elif message.type in (
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSING,
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.ERROR,
        ):
            return None


async def _ping(socket: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        await asyncio.sleep(PING_INTERVAL_S)
        await socket.send_str('{"type":"ping","t":0}')
