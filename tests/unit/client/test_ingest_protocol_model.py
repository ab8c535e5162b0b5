"""Whatever is acked, nacked, delayed or cut: every frame and fact arrives once, in order."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestration.audio.pcm import PcmFormat
from orchestration.client.ingest_protocol import IngestProtocol
from orchestration.session.inputs import ChatFact, StreamSpec

MS = 1_000_000
FORMAT = PcmFormat("s16le", 8000, 1)
HEADER = struct.Struct(">BBHQQ")


@dataclass
class StoredStream:
    """What the service holds of a stream: committed frames, and frames arrived but not acked."""

    frames: list[tuple[int, bytes]] = field(default_factory=list)
    acked: int = 0
    window: int = 8

    @property
    def next_sample(self) -> int:
        """End of the last frame; the model's frames are mono s16le."""
        if not self.frames:
            return 0
        first_sample, payload = self.frames[-1]
        return first_sample + len(payload) // 2


class ModelService:
    """Takes what a client sends and gives what the service would say, one message at a time."""

    def __init__(self) -> None:
        self.streams: dict[int, StoredStream] = {}
        self.facts: list[dict[str, Any]] = []
        self.facts_acked = 0
        self.end: dict[str, Any] | None = None
        self.dropping = False
        self.replies: list[dict[str, Any]] = []

    def disconnect(self) -> None:
        """The connection dies; what was not committed is forgotten."""
        for stream in self.streams.values():
            del stream.frames[stream.acked :]
        del self.facts[self.facts_acked :]
        self.replies.clear()
        self.dropping = False

    def receive(self, data: bytes | str) -> None:
        if isinstance(data, bytes):
            self._frame(data)
            return
        message = json.loads(data)
        match message["type"]:
            case "hello":
                for stream in message["streams"]:
                    self.streams.setdefault(stream["id"], StoredStream())
                self.replies.append(self._welcome())
            case "stream":
                self.streams.setdefault(message["id"], StoredStream())
                self.replies.append({"type": "stream_open", **self._position(message["id"])})
            case "end":
                self.end = message
            case "ping":
                self.replies.append({"type": "pong", "t": message["t"]})
            case _:
                if message["fact"] == len(self.facts):
                    self.facts.append(message)
                else:
                    assert message["fact"] < len(self.facts), "a fact was skipped"

    def _frame(self, data: bytes) -> None:
        version, flags, stream_id, seq, first_sample = HEADER.unpack_from(data)
        assert (version, flags) == (1, 0)
        stream = self.streams[stream_id]
        expected = len(stream.frames)
        if self.dropping or seq > expected:
            self.replies.append({"type": "nack", "stream": stream_id, "expected": expected})
            return
        payload = data[HEADER.size :]
        if seq < expected:
            assert stream.frames[seq] == (first_sample, payload), "one number, two contents"
            return
        assert first_sample >= stream.next_sample, "the sample clock went back"
        stream.frames.append((first_sample, payload))

    def commit(self) -> None:
        """Make everything durable and say so; when all is there, say that too."""
        for stream in self.streams.values():
            stream.acked = len(stream.frames)
        self.facts_acked = len(self.facts)
        self.replies.append(
            {
                "type": "ack",
                "streams": [
                    {"id": one, "upto": stream.acked - 1, "window": stream.window}
                    for one, stream in self.streams.items()
                ],
                "facts": self.facts_acked - 1,
            }
        )
        if self.end is not None and self._all_there(self.end):
            self.replies.append({"type": "ended", "coverage": {"streams": []}})

    def _all_there(self, end: dict[str, Any]) -> bool:
        return end["last_fact"] == self.facts_acked - 1 and all(
            one["last_seq"] == self.streams[one["id"]].acked - 1 for one in end["streams"]
        )

    def _welcome(self) -> dict[str, Any]:
        return {
            "type": "welcome",
            "session_id": "s",
            "epoch": 1,
            "streams": [self._position(one) for one in self.streams],
            "next_fact": len(self.facts),
            "max_frame_bytes": 65_536,
            "ack_ms": 250,
        }

    def _position(self, stream_id: int) -> dict[str, Any]:
        stream = self.streams[stream_id]
        return {
            "id": stream_id,
            "next_seq": len(stream.frames),
            "next_sample": stream.next_sample,
            "window": stream.window,
        }


class IngestMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0
        specs = [StreamSpec(0, FORMAT), StreamSpec(1, FORMAT)]
        self.client = IngestProtocol(specs, now_ns=0, uniform=lambda: 0.5)
        self.service = ModelService()
        self.said: dict[int, list[tuple[int, bytes]]] = {0: [], 1: [], 2: []}
        self.clock = {0: 0, 1: 0, 2: 0}
        self.facts_said = 0
        self.ending = False

    @property
    def phase(self) -> str:
        return self.client.phase

    @property
    def is_connected(self) -> bool:
        return self.client.phase in ("greeting", "open")

    @precondition(lambda self: not self.ending)
    @rule(stream=st.integers(0, 1), samples=st.integers(1, 800))
    def capture(self, stream: int, samples: int) -> None:
        payload = len(self.said[stream]).to_bytes(2, "little") * samples
        self.said[stream].append((self.clock[stream], payload))
        self.clock[stream] += samples
        self.client.add_audio(stream, payload)

    @precondition(lambda self: not self.ending)
    @rule(stream=st.integers(0, 1), samples=st.integers(1, 8000))
    def capture_skips(self, stream: int, samples: int) -> None:
        self.clock[stream] += samples
        self.client.skip_samples(stream, samples)

    @precondition(lambda self: not self.ending)
    @rule()
    def say_fact(self) -> None:
        self.client.add_fact(ChatFact(0, "p", "Ana", str(self.facts_said), None))
        self.facts_said += 1

    @precondition(lambda self: not self.ending and 2 not in self.client.streams)
    @rule()
    def open_another_stream(self) -> None:
        self.client.open_stream(StreamSpec(2, FORMAT))

    @precondition(lambda self: not self.ending and 2 in self.client.streams)
    @rule(samples=st.integers(1, 800))
    def capture_on_it(self, samples: int) -> None:
        self.capture(2, samples)

    @precondition(lambda self: self.client.phase == "away")
    @rule()
    def connect(self) -> None:
        self.now_ns = max(self.now_ns, self.client.connect_at_ns)
        self.client.connected(self.now_ns)

    @precondition(lambda self: self.is_connected)
    @rule(
        messages=st.integers(1, 30),
        lose_to=st.booleans(),
        close=st.sampled_from([None, 1012, 1013]),
    )
    def lose_connection(self, messages: int, lose_to: bool, close: int | None) -> None:
        self.send(messages)
        if lose_to:
            self.service.commit()
        self.service.disconnect()
        self.client.connection_lost(self.now_ns, close)

    @precondition(lambda self: self.is_connected)
    @rule(messages=st.integers(1, 30))
    def send(self, messages: int) -> None:
        for _ in range(messages):
            data = self.client.next_outgoing(self.now_ns)
            if data is None:
                return
            self.service.receive(data)

    @precondition(lambda self: self.is_connected)
    @rule(messages=st.integers(1, 10))
    def hear(self, messages: int) -> None:
        for message in self.service.replies[:messages]:
            self.client.received(json.loads(json.dumps(message)), self.now_ns)
        del self.service.replies[:messages]

    @rule()
    def commit(self) -> None:
        self.service.commit()

    @rule(dropping=st.booleans(), window=st.integers(0, 12))
    def change_load(self, dropping: bool, window: int) -> None:
        self.service.dropping = dropping
        for stream in self.service.streams.values():
            stream.window = window

    @rule(ms=st.integers(1, 3000))
    def pass_time(self, ms: int) -> None:
        self.now_ns += ms * MS

    @rule()
    def end(self) -> None:
        self.ending = True
        self.client.end()

    @invariant()
    def nothing_failed(self) -> None:
        assert self.client.error is None

    @invariant()
    def what_is_stored_is_what_was_said(self) -> None:
        for stream_id, stream in self.service.streams.items():
            assert stream.frames == self.said[stream_id][: len(stream.frames)]

    def teardown(self) -> None:
        """Once the service is well again, everything arrives and the session ends."""
        if self.phase == "ended":
            return
        self.end()
        for _ in range(1000):
            if self.phase == "ended":
                break
            if self.phase == "away":
                self.connect()
            self.change_load(False, 8)
            self.send(100)
            self.service.commit()
            self.hear(1000)
            self.pass_time(500)
        assert self.phase == "ended"
        for stream_id, stream in self.service.streams.items():
            assert stream.frames == self.said[stream_id]
        assert [fact["text"] for fact in self.service.facts] == [
            str(number) for number in range(self.facts_said)
        ]


IngestMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestIngestModel = IngestMachine.TestCase
