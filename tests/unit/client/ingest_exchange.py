"""Both sides of the ingest protocol: what a bot says, and what a service would answer."""

import json
import struct
from typing import Any

from orchestration.audio.pcm import PcmFormat
from orchestration.client.ingest_protocol import IngestProtocol
from orchestration.session.inputs import StreamSpec

MS = 1_000_000
SECOND = 1000 * MS
MONO_8K = PcmFormat("s16le", 8000, 1)
FRAME = b"\1\0" * 800
"""100 ms of the format above."""


def bot(*streams: int) -> IngestProtocol:
    specs = [StreamSpec(stream, MONO_8K) for stream in streams or (0,)]
    return IngestProtocol(specs, now_ns=0, uniform=lambda: 0.5)


def welcome(
    *positions: tuple[int, int, int], window: int = 100, next_fact: int = 0
) -> dict[str, Any]:
    return {
        "type": "welcome",
        "epoch": 1,
        "next_fact": next_fact,
        "streams": [
            {"id": stream, "next_seq": seq, "next_sample": sample, "window": window}
            for stream, seq, sample in positions
        ],
    }


def ack(upto: int, *, facts: int = -1, window: int = 100, stream: int = 0) -> dict[str, Any]:
    streams = [{"id": stream, "upto": upto, "window": window}]
    return {"type": "ack", "streams": streams, "facts": facts}


def outgoing(protocol: IngestProtocol, now_ns: int) -> list[bytes | str]:
    sent = []
    while (data := protocol.next_outgoing(now_ns)) is not None:
        sent.append(data)
    return sent


def frames(sent: list[bytes | str]) -> list[tuple[int, int, int]]:
    """(stream, seq, first_sample) of the audio among what was sent."""
    audio = [one for one in sent if isinstance(one, bytes)]
    return [struct.unpack_from(">BBHQQ", one)[2:] for one in audio]


def messages(sent: list[bytes | str]) -> list[dict[str, Any]]:
    return [json.loads(one) for one in sent if isinstance(one, str)]


def opened(protocol: IngestProtocol, now_ns: int = 0, window: int = 100) -> IngestProtocol:
    """The protocol on a fresh session, its hello said and welcomed."""
    protocol.connected(now_ns)
    outgoing(protocol, now_ns)
    positions = [(outbox.spec.stream, 0, 0) for outbox in protocol.streams]
    protocol.received(welcome(*positions, window=window), now_ns)
    return protocol
