"""The sending side of the ingest protocol, without I/O.

A bot feeds audio and facts; the connection's shell feeds what happens on the socket, asks
`next_outgoing` for what to send until there is nothing, sleeps until `wake_ns` and reconnects at
`connect_at_ns`. Every time is an argument: nanoseconds of a monotonic clock.

    away ──connected──▶ greeting ──welcome──▶ open ──ended──▶ ended
      ▲                    │                   │
      └──connection_lost───┴───────────────────┘        any ──fatal error──▶ failed
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

from orchestration.client.backoff import Backoff
from orchestration.client.fact_outbox import FactOutbox
from orchestration.client.ingest_events import (
    AudioSkipped,
    Complaint,
    ConnectionLost,
    Ended,
    IngestEvent,
    Welcomed,
)
from orchestration.client.outbox import MAX_FRAME_BYTES
from orchestration.client.outboxes import StreamOutboxes
from orchestration.client.problems import error_for_close, error_for_code
from orchestration.client.wire import encode, fact_streams, hello_message, stream_json
from orchestration.errors import BadRequest, OrchestrationError
from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.inputs import Fact, StreamSpec

PING_INTERVAL_NS = 10_000_000_000
SILENCE_LIMIT_NS = 30_000_000_000
"""A connection that brings nothing for this long is given up; pings keep a live one from it."""

Phase = Literal["away", "greeting", "open", "ended", "failed"]


class IngestProtocol:
    """One bot's side of one session. Streams, samples and facts count from 0 over its own life;
    when the session already holds audio, the service's counts are added on the way out."""

    def __init__(
        self,
        specs: Sequence[StreamSpec],
        *,
        now_ns: int,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.phase: Phase = "away"
        self.connect_at_ns = now_ns
        self.error: OrchestrationError | None = None
        self.coverage: JsonObject | None = None
        self.streams = StreamOutboxes()
        for spec in specs:
            self.streams.open(spec)
        self.facts = FactOutbox()
        self._uniform = uniform
        self._backoff = Backoff(uniform)
        self._events: list[IngestEvent] = []
        self._control: list[JsonObject] = []
        self._order = 0
        self._welcomes = 0
        self._ending = False
        self._end_said = False
        self._heard_ns = now_ns
        self._ping_ns = now_ns
        self._leave_at_ns: int | None = None

    # What the bot says

    def open_stream(self, spec: StreamSpec) -> None:
        """One more audio source; on a connection that is open it is announced at once.

        Raises:
            BadRequest: its number is another stream's.
        """
        self.streams.open(spec)
        if self.phase == "open":
            self._control.append({"type": "stream", **stream_json(spec)})

    def add_audio(self, stream: int, payload: bytes) -> None:
        """Audio as captured, right behind what came before.

        Raises:
            BadAudio: not whole samples.
            BadRequest: the stream is not open.
        """
        self._order += 1
        skipped = self.streams[stream].add(payload, self._order, self.facts.next_number)
        if skipped:
            self._events.append(AudioSkipped(stream, skipped))

    def skip_samples(self, stream: int, samples: int) -> None:
        """Capture missed this much before the audio that comes next.

        Raises:
            BadRequest: the stream is not open, or less than nothing was missed.
        """
        self.streams[stream].skip(samples)

    def add_fact(self, fact: Fact) -> bool:
        """A fact; its `fact` field is ignored, because numbers are given here.

        Returns whether it was taken: beyond `HELD_FACTS` unacked ones it is dropped.

        Raises:
            BadRequest: it is timed by a stream that is not open.
        """
        for stream in fact_streams(fact):
            _ = self.streams[stream]
        return self.facts.add(fact)

    def end(self) -> None:
        """Nothing more comes; said to the service when all before it is sent."""
        self._ending = True

    # What happens on the connection

    def connected(self, now_ns: int) -> None:
        self.phase = "greeting"
        self._heard_ns = self._ping_ns = now_ns
        specs = [outbox.spec for outbox in self.streams]
        self._control = [hello_message(specs)]

    def connection_lost(self, now_ns: int, close_code: int | None = None) -> None:
        """The socket closed, or could not be opened."""
        if self.phase in ("ended", "failed"):
            return
        fatal = error_for_close(close_code)
        if fatal is not None:
            self.fail(fatal)
            return
        wait_ns = 0 if self._leaves_by(now_ns) else self._backoff.wait_ns()
        self.phase = "away"
        self.connect_at_ns = now_ns + wait_ns
        self._leave_at_ns = None
        self._control.clear()
        for outbox in self.streams:
            outbox.close()
        self._events.append(ConnectionLost(close_code, self.connect_at_ns))

    def fail(self, error: OrchestrationError) -> None:
        """Reconnecting cannot mend this."""
        if self.phase not in ("ended", "failed"):
            self.phase = "failed"
            self.error = error

    def received(self, message: Any, now_ns: int) -> None:
        """A decoded message; what cannot be understood fails the protocol, never raises."""
        self._heard_ns = now_ns
        if self.phase in ("away", "ended", "failed"):
            return
        try:
            self._dispatch(message, now_ns)
        except OrchestrationError as error:
            self.fail(error)
        except (KeyError, TypeError, ValueError, AttributeError) as malformed:
            facts: JsonObject = {"reason": repr(malformed)[:200]}
            self.fail(BadRequest("The service sent a message of an unknown shape.", facts))

    def _dispatch(self, message: dict[str, Any], now_ns: int) -> None:
        match message["type"]:
            case "welcome":
                self._welcome(message)
            case "stream_open":
                self._place(message, again=False)
            case "ack":
                for ack in message["streams"]:
                    self.streams[ack["id"]].acknowledge(int(ack["upto"]), int(ack["window"]))
                self.facts.acknowledge(int(message["facts"]))
            case "nack":
                self.streams[message["stream"]].rewind(int(message["expected"]), now_ns)
            case "goaway":
                retry_ns = int(message["retry_ms"]) * 1_000_000
                self._leave_at_ns = now_ns + int(self._uniform() * retry_ns)
            case "error":
                self._complain(message)
            case "ended":
                self.coverage = dict(message["coverage"])
                self.phase = "ended"
                self._events.append(Ended(self.coverage))

    def _welcome(self, message: dict[str, Any]) -> None:
        self.facts.place(int(message["next_fact"]))
        self.streams.limit_frames(int(message.get("max_frame_bytes", MAX_FRAME_BYTES)))
        for position in message["streams"]:
            self._place(position, again=self._welcomes > 0)
        self._welcomes += 1
        self._backoff.reset()
        self._end_said = False
        self.phase = "open"
        # Streams opened between the hello and its welcome are not in either.
        placed = {position["id"] for position in message["streams"]}
        self._control += [
            {"type": "stream", **stream_json(outbox.spec)}
            for outbox in self.streams
            if outbox.spec.stream not in placed
        ]
        self._events.append(Welcomed(int(message.get("epoch", 0))))

    def _place(self, position: dict[str, Any], *, again: bool) -> None:
        # The session may know streams of an earlier bot that this one does not feed.
        if position["id"] in self.streams:
            self.streams[position["id"]].place(
                int(position["next_seq"]),
                int(position["next_sample"]),
                int(position["window"]),
                again=again,
            )

    def _complain(self, message: dict[str, Any]) -> None:
        code, text = str(message["code"]), str(message["message"])
        if message.get("fatal"):
            facts: dict[str, JsonValue] = {
                key: value
                for key, value in message.items()
                if key not in ("type", "code", "message", "fatal")
            }
            error = error_for_code(code, text, facts, BadRequest)
            # Taking over, restarting and overload are the service's to mend: come back for those
            # that its close code says so of.
            if error_for_close(error.close_code) is not None:
                self.fail(error)
                return
        self._events.append(Complaint(code, text))

    # What the shell does

    def next_outgoing(self, now_ns: int) -> bytes | str | None:
        """The next message to send, if any may go out now."""
        if self.phase not in ("greeting", "open"):
            return None
        if self._control:
            return encode(self._control.pop(0))
        if now_ns >= self._ping_ns + PING_INTERVAL_NS:
            self._ping_ns = now_ns
            return encode({"type": "ping", "t": now_ns // 1_000_000})
        if self.phase == "greeting":
            return None
        fact = self.facts.take(now_ns, self.streams.origins)
        if fact is not None:
            return encode(fact)
        return self.streams.next_frame(now_ns, self.facts.next_to_send) or self._next_end()

    def _next_end(self) -> str | None:
        everything_sent = self.facts.all_sent and self.streams.all_sent
        if not self._ending or self._end_said or not everything_sent:
            return None
        self._end_said = True
        last: list[JsonValue] = [
            {"id": outbox.spec.stream, "last_seq": outbox.last_seq} for outbox in self.streams
        ]
        return encode({"type": "end", "streams": last, "last_fact": self.facts.last_fact})

    def should_close(self, now_ns: int) -> bool:
        """Whether the shell should close the socket: all is over, it went silent, or is to move."""
        if self.phase in ("ended", "failed"):
            return True
        return self._leaves_by(now_ns) or now_ns >= self._heard_ns + SILENCE_LIMIT_NS

    def wake_ns(self) -> int:
        """When time alone will give a connected shell something to do."""
        times = [self._ping_ns + PING_INTERVAL_NS, self._heard_ns + SILENCE_LIMIT_NS]
        if self._leave_at_ns is not None:
            times.append(self._leave_at_ns)
        if self.phase == "open":
            origins = self.streams.origins
            waits = [self.facts.wake_ns(origins)]
            waits += [box.wake_ns(self.facts.next_to_send) for box in self.streams]
            times += [wait for wait in waits if wait is not None]
        return min(times)

    def drain_events(self) -> list[IngestEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def _leaves_by(self, now_ns: int) -> bool:
        return self._leave_at_ns is not None and now_ns >= self._leave_at_ns
