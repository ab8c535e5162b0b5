"""What a session and the edge say to each other: values only."""

from dataclasses import dataclass
from typing import Literal

from orchestration.json_types import JsonObject
from orchestration.session.events import DurableEvent, PassingEvent
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where a sender goes on: everything before `next_seq` is durable."""

    stream: int
    next_seq: int
    next_sample: int
    window: int


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to a hello."""

    session_id: str
    epoch: int
    streams: tuple[StreamPosition, ...]
    next_fact: int


@dataclass(frozen=True, slots=True)
class IngestBatch:
    """What a connection brought since the last call, in the order it came.

    `received_ns` is when each item was read by the edge: Unix time in nanoseconds, by a clock that
    does not step while the connection lasts.
    """

    items: tuple[AudioFrame | Fact | EndOfStreams, ...]
    received_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StreamAck:
    """Frames up to `upto` (inclusive, -1 for none) are durable; `window` more may be sent."""

    stream: int
    upto: int
    window: int


@dataclass(frozen=True, slots=True)
class IngestReply:
    """What the session says to a batch. `facts` is the last durable fact, -1 for none."""

    acks: tuple[StreamAck, ...]
    facts: int
    nacks: tuple[tuple[int, int], ...] = ()
    """(stream, expected seq) pairs."""
    error: Exception | None = None
    """The fatal error that ends the connection after the acks, if there is one."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a session tells a connection unasked.

    `ended`: all is stored, `coverage` says its fate. `taken_over`: a newer connection came.
    `goaway`: come back after `retry_ms`. `idle`: nothing yet, ask again.
    """

    kind: Literal["ended", "taken_over", "goaway", "idle"]
    coverage: JsonObject | None = None
    reason: str = ""
    retry_ms: int = 0


@dataclass(frozen=True, slots=True)
class LiveCursor:
    """How far a reader has come: the last durable seq, and the session's passing counter.

    The passing counter belongs to one incarnation (`epoch`) of the session.
    """

    seq: int
    epoch: int = 0
    passing: int = 0


@dataclass(frozen=True, slots=True)
class LiveBatch:
    """Events after a cursor. `missed`: durable events older than the session still holds in
    memory are to be read from the archive. `closed`: the session will say no more."""

    cursor: LiveCursor
    durable: tuple[DurableEvent, ...] = ()
    passing: tuple[PassingEvent, ...] = ()
    missed: bool = False
    closed: bool = False
