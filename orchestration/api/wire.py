"""Messages of the ingest protocol to values and back.

Shapes are checked here, at the edge; what depends on a stream's state (sequence, sample clock,
conflicts) is the session's to judge. docs/protocols.md is the reference.
"""

import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from orchestration.audio.pcm import Encoding, PcmFormat, check_format
from orchestration.config.models import IngestSettings
from orchestration.errors import BadAudio, BadRequest, TooLarge
from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.fact_codec import FACT_TYPES, parse_fact, parse_participant
from orchestration.session.fields import MAX_INTEGER, MAX_STREAM, Fields
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact, StreamSpec

PROTOCOL_VERSION = 1
FRAME_VERSION = 1
FRAME_HEADER = struct.Struct(">BBHQQ")
"""version, flags, stream, seq, first_sample."""
MAX_ECHO_CHARACTERS = 100
"""A ping's longer text is answered without it."""

_ENCODINGS: tuple[Encoding, ...] = ("s16le", "f32le")
_NESTING = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: the streams that the sender will send."""

    streams: tuple[StreamSpec, ...]


@dataclass(frozen=True, slots=True)
class OpenStream:
    """One more stream."""

    stream: StreamSpec


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with the same `t`."""

    t: JsonValue


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A message of a type that this version does not know; it is answered and let pass."""

    type: str


ClientMessage = Hello | OpenStream | Fact | EndOfStreams | Ping | UnknownMessage


# Audio frames


def parse_frame(data: bytes, max_frame_bytes: int) -> AudioFrame:
    """The frame in a binary message.

    Raises:
        TooLarge: more than `max_frame_bytes`, header included.
        BadAudio: no whole header, or not version 1, or a number that cannot be stored.
    """
    if len(data) > max_frame_bytes:
        raise TooLarge(
            f"A frame of {len(data)} bytes is over the limit of {max_frame_bytes}.",
            {"limit": "max_frame_bytes", "max": max_frame_bytes},
        )
    if len(data) < FRAME_HEADER.size:
        raise BadAudio(
            f"A frame starts with {FRAME_HEADER.size} bytes of header; this one has {len(data)}.",
            {"header_bytes": FRAME_HEADER.size},
        )
    version, flags, stream, seq, first_sample = FRAME_HEADER.unpack_from(data)
    if version != FRAME_VERSION or flags != 0:
        raise BadAudio(
            f"This frame has version {version} and flags {flags};"
            f" version {FRAME_VERSION} and flags 0 are understood.",
            {"version": version, "flags": flags},
        )
    if seq > MAX_INTEGER or first_sample > MAX_INTEGER:
        raise BadAudio("seq and first_sample must be below 2**63.", {"stream": stream})
    return AudioFrame(stream, seq, first_sample, data[FRAME_HEADER.size :])


def check_whole_samples(frame: AudioFrame, pcm_format: PcmFormat) -> None:
    """Raises BadAudio unless the payload is whole samples of all channels."""
    if len(frame.payload) % pcm_format.sample_bytes:
        raise BadAudio(
            f"Frame {frame.seq} of stream {frame.stream} has {len(frame.payload)} bytes of audio,"
            f" which is not a multiple of {pcm_format.sample_bytes}.",
            {
                "stream": frame.stream,
                "seq": frame.seq,
                "sample_bytes": pcm_format.sample_bytes,
            },
        )


# Text messages from a client


def parse_json(text: str, max_bytes: int, max_depth: int) -> JsonObject:
    """The JSON object in a text message. Raises as `parse_json_value`, and BadRequest if it is
    something else."""
    body = parse_json_value(text, max_bytes, max_depth)
    if not isinstance(body, dict):
        raise BadRequest("The message must be a JSON object.")
    return body


def parse_json_value(text: str, max_bytes: int, max_depth: int) -> JsonValue:
    """The JSON in a text message. Its depth is checked before it is parsed.

    Raises:
        TooLarge: more than `max_bytes` of UTF-8.
        BadRequest: not JSON, nested deeper than `max_depth`, or NaN or infinite.
    """
    size = len(text) if text.isascii() else len(text.encode())
    if size > max_bytes:
        raise TooLarge(
            f"A message of {size} bytes is over the limit of {max_bytes}.",
            {"limit": "max_text_bytes", "max": max_bytes},
        )
    if json_depth_exceeds(text, max_depth):
        raise BadRequest(
            f"The JSON is nested deeper than {max_depth}.",
            {"limit": "max_json_depth", "max": max_depth},
        )
    try:
        body: JsonValue = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except ValueError as error:
        raise BadRequest(f"The message is not JSON: {_reason(error)}.") from None
    return body


def json_depth_exceeds(text: str, max_depth: int) -> bool:
    """Whether brackets outside of strings nest deeper than `max_depth`; linear in the text."""
    if text.count("{") + text.count("[") <= max_depth:
        return False
    depth = 0
    in_string = False
    for match in _NESTING.finditer(text):
        token = match.group()
        if token == '"':
            in_string = not in_string
        elif in_string or token[0] == "\\":
            continue
        elif token in "{[":
            depth += 1
            if depth > max_depth:
                return True
        else:
            depth -= 1
    return False


def _reason(error: ValueError) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "a number is out of range"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def parse_client_message(text: str, limits: IngestSettings) -> ClientMessage:
    """What a client says in a text message.

    Raises:
        BadRequest, TooLarge: as of `parse_json`, or a field is missing or malformed.
        BadAudio: a stream's encoding, rate or channels are not supported, or too many streams.
    """
    body = parse_json(text, limits.max_text_bytes, limits.max_json_depth)
    kind = body.get("type")
    if not isinstance(kind, str):
        raise BadRequest("The message has no type.", {"field": "type"})
    if kind in FACT_TYPES:
        return parse_fact(body, limits.max_name_characters)
    fields = Fields(body, kind[:40], limits.max_name_characters)
    if kind == "hello":
        return _parse_hello(fields, limits)
    if kind == "stream":
        return OpenStream(_parse_stream(fields))
    if kind == "end":
        return _parse_end(fields, limits)
    if kind == "ping":
        return Ping(_echo(fields.raw("t")))
    return UnknownMessage(kind[:40])


def parse_viewer_message(text: str, limits: IngestSettings) -> Ping | UnknownMessage:
    """What a viewer says. Raises as `parse_json` does, and BadRequest without a type."""
    body = parse_json(text, limits.max_text_bytes, limits.max_json_depth)
    kind = body.get("type")
    if not isinstance(kind, str):
        raise BadRequest("The message has no type.", {"field": "type"})
    return Ping(_echo(body.get("t"))) if kind == "ping" else UnknownMessage(kind[:40])


def _parse_hello(fields: Fields, limits: IngestSettings) -> Hello:
    protocol = fields.integer("protocol")
    if protocol != PROTOCOL_VERSION:
        raise BadRequest(
            f"Protocol {protocol} is not spoken here; use {PROTOCOL_VERSION}.",
            {"field": "hello.protocol", "supported": [PROTOCOL_VERSION]},
        )
    children = fields.children("streams")
    if len(children) > limits.max_streams:
        raise BadAudio(
            f"{len(children)} streams are more than the limit of {limits.max_streams}.",
            {"limit": "max_streams", "max": limits.max_streams},
        )
    streams = tuple(_parse_stream(child) for child in children)
    _refuse_duplicates([spec.stream for spec in streams], "hello.streams")
    return Hello(streams)


def _parse_stream(fields: Fields) -> StreamSpec:
    stream = fields.integer("id", most=MAX_STREAM)
    sample_rate = fields.integer("sample_rate")
    channels = fields.integer("channels")
    if fields.has("encoding") and fields.raw("encoding") not in _ENCODINGS:
        raise BadAudio(
            f"The encoding of stream {stream} is not supported; send one of"
            f" {', '.join(_ENCODINGS)}.",
            {"stream": stream, "encodings": list(_ENCODINGS)},
        )
    pcm_format = PcmFormat(fields.choice("encoding", _ENCODINGS), sample_rate, channels)
    check_format(pcm_format)
    participant = None
    if fields.has("participant"):
        participant = parse_participant(fields.child("participant"))
    return StreamSpec(stream, pcm_format, participant)


def _parse_end(fields: Fields, limits: IngestSettings) -> EndOfStreams:
    children = fields.children("streams")
    if len(children) > limits.max_streams:
        raise BadRequest(
            f"{len(children)} streams are more than the limit of {limits.max_streams}.",
            {"limit": "max_streams", "max": limits.max_streams},
        )
    last = tuple(
        (child.integer("id", most=MAX_STREAM), child.integer("last_seq", least=-1))
        for child in children
    )
    _refuse_duplicates([stream for stream, _ in last], "end.streams")
    return EndOfStreams(last, fields.integer("last_fact", least=-1))


def _refuse_duplicates(streams: Sequence[int], field: str) -> None:
    if len(set(streams)) < len(streams):
        raise BadRequest(f"{field} names a stream twice.", {"field": field})


def _echo(t: JsonValue) -> JsonValue:
    if isinstance(t, str):
        return t if len(t) <= MAX_ECHO_CHARACTERS and t.isprintable() else None
    return t if isinstance(t, int | float) else None
