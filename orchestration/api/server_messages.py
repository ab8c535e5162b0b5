"""What the service says over WebSockets: values to messages. docs/protocols.md is the reference."""

import json

from orchestration.api.wire import Ping, UnknownMessage
from orchestration.config.models import IngestSettings
from orchestration.errors import OrchestrationError
from orchestration.json_types import JsonObject
from orchestration.session.exchange import IngestReply, Notice, StreamPosition, Welcome


def encode_message(body: JsonObject) -> str:
    """A message as it goes over the wire. Half a surrogate pair, which a sender may have put in
    by an escape and is told of, becomes `?`: UTF-8 has no form for it."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def welcome_message(welcome: Welcome, limits: IngestSettings) -> JsonObject:
    return {
        "type": "welcome",
        "session_id": welcome.session_id,
        "epoch": welcome.epoch,
        "streams": [_position_json(position) for position in welcome.streams],
        "next_fact": welcome.next_fact,
        "max_frame_bytes": limits.max_frame_bytes,
        "ack_ms": limits.ack_ms,
    }


def stream_open_message(position: StreamPosition) -> JsonObject:
    return {"type": "stream_open", **_position_json(position)}


def _position_json(position: StreamPosition) -> JsonObject:
    return {
        "id": position.stream,
        "next_seq": position.next_seq,
        "next_sample": position.next_sample,
        "window": position.window,
    }


def ack_message(reply: IngestReply) -> JsonObject:
    return {
        "type": "ack",
        "streams": [
            {"id": ack.stream, "upto": ack.upto, "window": ack.window} for ack in reply.acks
        ],
        "facts": reply.facts,
    }


def nack_message(stream: int, expected: int) -> JsonObject:
    return {"type": "nack", "stream": stream, "expected": expected}


def goaway_message(notice: Notice) -> JsonObject:
    return {"type": "goaway", "reason": notice.reason, "retry_ms": notice.retry_ms}


def ended_message(coverage: JsonObject) -> JsonObject:
    return {"type": "ended", "coverage": coverage}


def pong_message(ping: Ping) -> JsonObject:
    return {"type": "pong", "t": ping.t}


def error_message(error: OrchestrationError, fatal: bool) -> JsonObject:
    """The error's facts beside its code; a fact never hides a field of the message."""
    return error.facts | {
        "type": "error",
        "code": error.code,
        "message": error.message,
        "fatal": fatal,
    }


def unknown_type_message(message: UnknownMessage) -> JsonObject:
    return {
        "type": "error",
        "code": "unknown_type",
        "message": "This message type is not known here and was ignored.",
        "fatal": False,
        "unknown_type": message.type,
    }
