"""Frames that no WebSocket client sends, and messages that no client of a protocol says.

The cases of frames follow the chapters of the Autobahn test suite: framing, pings, reserved bits,
opcodes, fragmentation, UTF-8, limits, closing.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.conformance.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    raw_frame,
)

Json = dict[str, Any]
HEADER = struct.Struct(">BBHQQ")
STREAM: Json = {"id": 0, "encoding": "s16le", "sample_rate": 16_000, "channels": 1}
HELLO: Json = {"type": "hello", "protocol": 1, "streams": [STREAM]}
PARTICIPANT: Json = {"id": "p-1", "name": "Ana"}

INGEST_MESSAGES: tuple[Json, ...] = (
    HELLO,
    {"type": "stream", **STREAM, "id": 1, "participant": PARTICIPANT},
    {
        "type": "speaker",
        "fact": 0,
        "event": "start",
        "participant_id": "p-1",
        "name": "Ana",
        "stream": 0,
        "sample": 0,
    },
    {"type": "participant", "fact": 0, "event": "join", "participant": PARTICIPANT},
    {
        "type": "caption",
        "fact": 0,
        "participant_id": "p-1",
        "name": "Ana",
        "text": "Hello.",
        "stream": 0,
        "start_sample": 0,
        "end_sample": 100,
    },
    {"type": "chat", "fact": 0, "participant_id": "p-1", "name": "Ana", "text": "Hi", "unix_ms": 1},
    {"type": "clock", "fact": 0, "stream": 0, "sample": 0, "unix_ms": 1_790_000_000_000},
    {"type": "end", "streams": [{"id": 0, "last_seq": -1}], "last_fact": -1},
    {"type": "ping", "t": 1},
)
LIVE_MESSAGES: tuple[Json, ...] = ({"type": "ping", "t": 1},)
SOCKET_IO_EVENTS: tuple[tuple[str, Json], ...] = (
    ("subscribe", {"service": "database"}),
    ("service_message", {"type": "heartbeat"}),
    ("service_message", {"type": "join_session", "session_id": "weekly", "after": 0}),
    ("service_message", {"type": "leave_session"}),
    (
        "service_message",
        {"type": "service_request", "target_service": "database", "action": "get_health"},
    ),
    ("translation_stream", {"text": "Hello.", "target_lang": "pt", "source_lang": "en"}),
)

# Messages

YES_OR_NO = st.booleans()
WRONG_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=20),
    st.sampled_from(["", "x" * 70_000, "\x00", "\ud800", "NaN", "\u202e", "a" * 201]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([17, 70, 3_000]).map(lambda depth: _Nested(depth)),
)


@dataclass(frozen=True)
class _Nested:
    depth: int


def _encoded(message: Any) -> str:
    """JSON, with the nesting put in: Python's own encoder does not go so deep."""
    marks: dict[str, str] = {}

    def mark(value: Any) -> Any:
        if isinstance(value, _Nested):
            name = f"nested-{len(marks)}"
            marks[f'"{name}"'] = "[" * value.depth + "]" * value.depth
            return name
        if isinstance(value, dict):
            return {key: mark(one) for key, one in value.items()}
        return [mark(one) for one in value] if isinstance(value, list) else value

    said = json.dumps(mark(message))
    for name, nested in marks.items():
        said = said.replace(name, nested)
    return said


@st.composite
def mutated(draw: st.DrawFn, messages: tuple[Json, ...]) -> str:
    """A message with one to three of its fields left out, replaced or added."""
    message: Json = json.loads(json.dumps(draw(st.sampled_from(messages))))
    for _ in range(draw(st.integers(1, 3))):
        place: Json = message
        inner: list[Json] = [one for one in message.values() if isinstance(one, dict)]
        inner += [
            one
            for many in message.values()
            if isinstance(many, list)
            for one in many
            if isinstance(one, dict)
        ]
        goes_in: bool = draw(YES_OR_NO)
        if inner and goes_in:
            place = draw(st.sampled_from(inner))
        name = draw(st.sampled_from([*place, "further"]))
        if draw(YES_OR_NO):
            place.pop(name, None)
        else:
            place[name] = draw(WRONG_VALUES)
    return _encoded(message)


no_json = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", "{", "[]", "1", "null", '"hello"', '{"type": 1}', "NaN", '{"a":1}{', "{}"]
    ),
)
audio_frames = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda version, flags, stream, seq, first, pcm: (
            HEADER.pack(version, flags, stream, seq, first) + pcm
        ),
        st.sampled_from([0, 1, 1, 1, 2, 255]),
        st.sampled_from([0, 0, 0, 1, 255]),
        st.sampled_from([0, 0, 0, 1, 65_535]),
        st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]),
        st.sampled_from([0, 1600, 2**63 - 1, 2**63, 2**64 - 1]),
        st.sampled_from([b"", b"\x00", bytes(3200), bytes(65_516), bytes(65_517), bytes(80_000)]),
    ),
)


@st.composite
def socket_io_packets(draw: st.DrawFn) -> str:
    """An event of Socket.IO that is changed, or what looks like a packet of it."""
    if draw(st.integers(0, 3)) == 0:
        begin = draw(st.sampled_from(["", "4", "42", "40", "41", "43", "451-", "2", "3", "6", "9"]))
        return begin + draw(no_json)
    name, body = draw(st.sampled_from(SOCKET_IO_EVENTS))
    said = draw(mutated((body,)))
    number = draw(st.sampled_from(["", "7"]))
    return f"42{number}[{json.dumps(draw(st.sampled_from([name, name, 'further', ''])))},{said}]"


# Frames


@dataclass(frozen=True)
class FrameCase:
    """Bytes of frames, made with a good message of the protocol; `survives` says whether the
    connection has to go on after them."""

    name: str
    data: Callable[[bytes], bytes]
    survives: bool = False


def _split(opcode: int, data: bytes, at: int, between: bytes = b"") -> bytes:
    return raw_frame(opcode, data[:at], final=False) + between + raw_frame(CONTINUATION, data[at:])


def _bytewise(data: bytes) -> bytes:
    pieces = [raw_frame(TEXT, data[:1], final=False)]
    pieces += [raw_frame(CONTINUATION, data[n : n + 1], final=False) for n in range(1, len(data))]
    return b"".join([*pieces, raw_frame(CONTINUATION)])


FRAME_CASES: tuple[FrameCase, ...] = (
    FrameCase("a message in two fragments", lambda good: _split(TEXT, good, 3), True),
    FrameCase("a message byte by byte", _bytewise, True),
    FrameCase(
        "a ping between fragments",
        lambda good: _split(TEXT, good, 3, raw_frame(PING, b"between")),
        True,
    ),
    FrameCase("a ping of 125 bytes", lambda _: raw_frame(PING, bytes(125)), True),
    FrameCase("an empty ping", lambda _: raw_frame(PING), True),
    FrameCase("a pong that nobody asked for", lambda _: raw_frame(PONG, b"x"), True),
    FrameCase("many pings at once", lambda _: raw_frame(PING, b"x") * 50, True),
    FrameCase("a length of more bytes than needed", lambda good: _long_form(good), True),
    FrameCase("a ping of 126 bytes", lambda _: raw_frame(PING, bytes(126))),
    FrameCase("a close of 126 bytes", lambda _: raw_frame(CLOSE, bytes(126))),
    FrameCase("a fragmented ping", lambda _: raw_frame(PING, b"x", final=False)),
    FrameCase("a fragmented close", lambda _: raw_frame(CLOSE, b"\x03\xe8", final=False)),
    *(
        FrameCase(f"reserved bits {bits}", lambda good, b=bits: raw_frame(TEXT, good, reserved=b))  # type: ignore[misc]
        for bits in range(1, 8)
    ),
    *(
        FrameCase(f"opcode {number}", lambda good, n=number: raw_frame(n, good))  # type: ignore[misc]
        for number in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    ),
    FrameCase("a frame without a mask", lambda good: raw_frame(TEXT, good, masked=False)),
    FrameCase("a binary frame without a mask", lambda _: raw_frame(BINARY, b"x", masked=False)),
    FrameCase("a continuation of nothing", lambda good: raw_frame(CONTINUATION, good)),
    FrameCase(
        "a message within a message",
        lambda good: raw_frame(TEXT, good[:3], final=False) + raw_frame(TEXT, good),
    ),
    FrameCase("text that is not UTF-8", lambda _: raw_frame(TEXT, b'{"type": "\xff\xfe"}')),
    FrameCase("a surrogate in UTF-8", lambda _: raw_frame(TEXT, b'{"type": "\xed\xa0\x80"}')),
    FrameCase("an overlong slash", lambda _: raw_frame(TEXT, b'{"type": "\xc0\xaf"}')),
    FrameCase("half of a character", lambda _: raw_frame(TEXT, b'{"type": "\xe2\x82')),
    FrameCase("UTF-8 broken across fragments", lambda _: _split(TEXT, b'{"a": "\xe2\xff\xff"}', 8)),
    FrameCase("a length of 2**63", lambda _: raw_frame(BINARY, b"x", declared=2**63)),
    FrameCase("a length of 2**64 - 1", lambda _: raw_frame(TEXT, b"x", declared=2**64 - 1)),
    FrameCase("a length of 1 GiB", lambda _: raw_frame(BINARY, bytes(1000), declared=2**30)),
    FrameCase("a close of one byte", lambda _: raw_frame(CLOSE, b"\x03")),
    *(
        FrameCase(f"a close with {code}", lambda _, c=code: raw_frame(CLOSE, struct.pack(">H", c)))  # type: ignore[misc]
        for code in (0, 999, 1000, 1004, 1005, 1006, 1015, 1016, 2999, 3000, 4999, 5000, 65_535)
    ),
    FrameCase("a close whose reason is not UTF-8", lambda _: raw_frame(CLOSE, b"\x03\xe8\xff\xfe")),
    FrameCase("an empty close", lambda _: raw_frame(CLOSE)),
    FrameCase("HTTP", lambda _: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    FrameCase("TLS", lambda _: bytes.fromhex("16030100a5010000a1030365")),
)


def _long_form(data: bytes) -> bytes:
    """A short text whose length takes 64 bits. RFC 6455 wants the shortest form; few look."""
    whole = raw_frame(TEXT, data)
    masked = whole[-len(data) - 4 :]
    return struct.pack(">BBQ", 0x81, 0x80 | 127, len(data)) + masked


random_frames = st.builds(
    raw_frame,
    st.integers(0, 15),
    st.binary(max_size=140),
    final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 1, 4]),
    masked=st.sampled_from([True, True, True, False]),
)
"""Followed by a close: whatever they say, the connection ends."""


def own_codes(frame: bytes) -> frozenset[int]:
    """Close codes that only this one of the `random_frames` may end its connection with.

    A close is echoed. And uvicorn 0.54 reads a fragmented text and the close behind it at once,
    answers the close, and then cannot refuse a text that is not UTF-8 with 1007 any more: it drops
    the connection. Only who broke the protocol, and left, is told less for it.
    """
    payload = frame.partition(MASK)[2]
    shown = bytes(one ^ MASK[place % 4] for place, one in enumerate(payload))
    if frame[0] == 0x80 | CLOSE and len(shown) >= 2:
        return frozenset(struct.unpack(">H", shown[:2]))
    if frame[0] == TEXT:
        try:
            shown.decode()
        except UnicodeDecodeError:
            return frozenset({1006})
    return frozenset()
