"""Messages of the ingest protocol as its client writes them.

Numbers inside a client count from 0 over its own life; an `Origin` says where the session stood
when the client came, and is added here, so that a bot that starts anew goes on where it stopped.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.json_types import JsonObject
from orchestration.session.inputs import (
    CaptionFact,
    ChatFact,
    ClockFact,
    Fact,
    Moment,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    StreamSpec,
)

PROTOCOL_VERSION = 1
FRAME_VERSION = 1
FRAME_HEADER = struct.Struct(">BBHQQ")
"""Version, flags, stream, seq, first sample: 20 bytes, big-endian."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The session's next frame number and sample of a stream when this client first came."""

    seq: int = 0
    sample: int = 0


def encode(message: JsonObject) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def frame_bytes(stream: int, seq: int, first_sample: int, payload: bytes) -> bytes:
    """An audio frame with its header; `seq` and `first_sample` are the session's."""
    return FRAME_HEADER.pack(FRAME_VERSION, 0, stream, seq, first_sample) + payload


def stream_json(spec: StreamSpec) -> JsonObject:
    """A stream's description in `hello` and `stream`."""
    described: JsonObject = {
        "id": spec.stream,
        "encoding": spec.format.encoding,
        "sample_rate": spec.format.sample_rate,
        "channels": spec.format.channels,
    }
    if spec.participant is not None:
        described["participant"] = {
            "id": spec.participant.participant_id,
            "name": spec.participant.name,
        }
    return described


def hello_message(specs: Sequence[StreamSpec]) -> JsonObject:
    return {
        "type": "hello",
        "protocol": PROTOCOL_VERSION,
        "streams": [stream_json(spec) for spec in specs],
    }


def fact_streams(fact: Fact) -> tuple[int, ...]:
    """The streams whose samples time this fact."""
    match fact:
        case ClockFact():
            return (fact.stream,)
        case CaptionFact():
            moments: tuple[Moment | None, ...] = (fact.start, fact.end)
        case _:
            moments = (fact.at,)
    return tuple(moment.stream for moment in moments if isinstance(moment, SampleMoment))


def fact_message(fact: Fact, number: int, origins: Mapping[int, Origin]) -> JsonObject:
    """A fact under the session's `number`, its samples moved to the session's count.

    `origins` has every stream of `fact_streams(fact)`.
    """
    match fact:
        case SpeakerFact():
            return {
                "type": "speaker",
                "fact": number,
                "event": fact.event,
                "participant_id": fact.participant_id,
                "name": fact.name,
                **_moment(fact.at, origins),
            }
        case ParticipantFact():
            return {
                "type": "participant",
                "fact": number,
                "event": fact.event,
                "participant": _participant(fact.participant),
                **_moment(fact.at, origins),
            }
        case CaptionFact():
            return {
                "type": "caption",
                "fact": number,
                "participant_id": fact.participant_id,
                "name": fact.name,
                "text": fact.text,
                **_moment(fact.start, origins, "start_"),
                **_moment(fact.end, origins, "end_"),
            }
        case ChatFact():
            return {
                "type": "chat",
                "fact": number,
                "participant_id": fact.participant_id,
                "name": fact.name,
                "text": fact.text,
                **_moment(fact.at, origins),
            }
        case ClockFact():
            return {
                "type": "clock",
                "fact": number,
                "unix_ms": fact.unix_ms,
                **_moment(SampleMoment(fact.stream, fact.sample), origins),
            }


def _moment(at: Moment | None, origins: Mapping[int, Origin], prefix: str = "") -> JsonObject:
    if at is None:
        return {}
    if isinstance(at, SampleMoment):
        return {
            "stream": at.stream,
            f"{prefix}sample": at.sample + origins[at.stream].sample,
        }
    return {f"{prefix}unix_ms": at.unix_ms}


def _participant(participant: ParticipantRef) -> JsonObject:
    described: JsonObject = {
        "id": participant.participant_id,
        "name": participant.name,
        "is_bot": participant.is_bot,
    }
    if participant.email is not None:
        described["email"] = participant.email
    return described
