"""Server-sent events out of the bytes of an answer, without I/O.

After the HTML Standard, 9.2.6, "Interpreting an event stream".
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from orchestration.errors import ServiceUnreachable

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""An event larger than this ends its stream; the result of an upload has all its segments."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. `last_id` is the newest id that the stream has given, by this event or before."""

    name: str
    data: str
    last_id: str


class EventParser:
    """Bytes in, in any pieces; whole events out. Comments and unknown fields are left out."""

    def __init__(self) -> None:
        self.last_id = ""
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._data_bytes = 0

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """The events that end in this piece.

        Raises:
            ServiceUnreachable: an event has no end.
        """
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            event = self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))
            if event is not None:
                events.append(event)
        if self._data_bytes + len(self._rest) > MAX_EVENT_BYTES:
            raise ServiceUnreachable("What answers sends no events.", {"max": MAX_EVENT_BYTES})
        return events

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
            self._data_bytes += len(value)
        elif field == "id":
            self.last_id = value
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        name, data = self._name or "message", self._data
        self._name, self._data, self._data_bytes = "", [], 0
        return ServerSentEvent(name, "\n".join(data), self.last_id) if data else None


async def events_of(
    response: aiohttp.ClientResponse, parser: EventParser
) -> AsyncIterator[ServerSentEvent]:
    """An answer's events as they come."""
    async for piece in response.content.iter_any():
        for event in parser.feed(piece):
            yield event
