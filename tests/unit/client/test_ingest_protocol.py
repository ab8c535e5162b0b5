import json
import struct
from typing import Any

import pytest

from orchestration.audio.pcm import PcmFormat
from orchestration.client.fact_outbox import HELD_FACTS
from orchestration.client.ingest_events import AudioSkipped, Complaint, ConnectionLost, Ended
from orchestration.client.ingest_protocol import (
    PING_INTERVAL_NS,
    SILENCE_LIMIT_NS,
    IngestProtocol,
)
from orchestration.client.outbox import HELD_AUDIO_S
from orchestration.errors import (
    BadAudio,
    BadRequest,
    FrameConflict,
    OrchestrationError,
    TakenOver,
    UnknownSession,
)
from orchestration.session.inputs import (
    CaptionFact,
    ChatFact,
    ClockFact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    StreamSpec,
    UnixMoment,
)

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
    positions = [(stream, 0, 0) for stream in protocol.streams]
    protocol.received(welcome(*positions, window=window), now_ns)
    return protocol


def test_hello_comes_first_and_audio_waits_for_the_welcome() -> None:
    participant = ParticipantRef("p-1", "Ana")
    protocol = IngestProtocol([StreamSpec(3, MONO_8K, participant)], now_ns=0)
    protocol.add_audio(3, FRAME)
    protocol.connected(0)
    assert messages(outgoing(protocol, 0)) == [
        {
            "type": "hello",
            "protocol": 1,
            "streams": [
                {
                    "id": 3,
                    "encoding": "s16le",
                    "sample_rate": 8000,
                    "channels": 1,
                    "participant": {"id": "p-1", "name": "Ana"},
                }
            ],
        }
    ]
    protocol.received(welcome((3, 0, 0)), 1)
    assert protocol.next_outgoing(1) == bytes.fromhex("0100 0003") + bytes(16) + FRAME


def test_no_more_than_the_window_is_ever_unacked() -> None:
    protocol = opened(bot(), window=2)
    for _ in range(5):
        protocol.add_audio(0, FRAME)
    assert frames(outgoing(protocol, 0)) == [(0, 0, 0), (0, 1, 800)]
    protocol.received(ack(0, window=1), 0)
    assert outgoing(protocol, 0) == []
    protocol.received(ack(1, window=1), 0)
    assert frames(outgoing(protocol, 0)) == [(0, 2, 1600)]
    protocol.received(ack(2, window=0), 0)
    assert outgoing(protocol, 0) == []


def test_a_nack_sends_everything_from_there_again() -> None:
    protocol = opened(bot())
    for _ in range(4):
        protocol.add_audio(0, FRAME)
    outgoing(protocol, 0)
    protocol.received({"type": "nack", "stream": 0, "expected": 2}, 0)
    assert frames(outgoing(protocol, 0)) == [(0, 2, 1600)]
    assert frames(outgoing(protocol, 25 * MS)) == [(0, 3, 2400)]


def test_repeated_nacks_of_one_hole_are_obeyed_once_a_second() -> None:
    protocol = opened(bot())
    for _ in range(3):
        protocol.add_audio(0, FRAME)
    outgoing(protocol, 0)
    nack = {"type": "nack", "stream": 0, "expected": 1}
    protocol.received(nack, 0)
    assert frames(outgoing(protocol, 0)) == [(0, 1, 800)]
    protocol.received(nack, 10 * MS)
    assert frames(outgoing(protocol, 500 * MS)) == [(0, 2, 1600)]
    assert protocol.wake_ns() == SECOND
    assert frames(outgoing(protocol, SECOND)) == [(0, 1, 800)]


def test_after_a_lost_connection_sending_goes_on_from_the_welcome() -> None:
    protocol = opened(bot())
    for _ in range(3):
        protocol.add_audio(0, FRAME)
    outgoing(protocol, 0)
    protocol.received(ack(0), 0)
    protocol.connection_lost(0, 1006)
    assert protocol.connect_at_ns == 250 * MS
    protocol.connected(250 * MS)
    assert messages(outgoing(protocol, 250 * MS))[0]["type"] == "hello"
    protocol.received(welcome((0, 2, 1600)), 250 * MS)
    assert frames(outgoing(protocol, 250 * MS)) == [(0, 2, 1600)]


def test_what_piled_up_goes_out_at_four_times_real_time() -> None:
    protocol = opened(bot())
    protocol.connection_lost(0, None)
    for _ in range(40):
        protocol.add_audio(0, FRAME)
    protocol.connected(SECOND)
    outgoing(protocol, SECOND)
    protocol.received(welcome((0, 0, 0)), SECOND)
    assert len(frames(outgoing(protocol, SECOND))) == 1
    assert protocol.wake_ns() == SECOND + 25 * MS
    now_ns, sent = SECOND, 1
    while sent < 40:
        now_ns = protocol.wake_ns()
        sent += len(frames(outgoing(protocol, now_ns)))
    assert (now_ns, sent) == (SECOND + 975 * MS, 40)


def test_waits_between_attempts_double_up_to_their_ceiling_and_start_over() -> None:
    protocol = bot()
    waits_ms = []
    for _ in range(8):
        protocol.connection_lost(0)
        waits_ms.append(protocol.connect_at_ns // MS)
    assert waits_ms == [250, 500, 1000, 2000, 4000, 7500, 7500, 7500]
    opened(protocol, 0)
    protocol.connection_lost(0)
    assert protocol.connect_at_ns == 250 * MS


def test_a_bot_that_starts_anew_adds_to_what_the_session_holds() -> None:
    protocol = bot()
    protocol.add_fact(ClockFact(0, 0, 0, 5000))
    protocol.add_audio(0, FRAME)
    protocol.connected(0)
    outgoing(protocol, 0)
    protocol.received(welcome((0, 7, 5600), (1, 3, 99), next_fact=4), 0)
    sent = outgoing(protocol, 0)
    assert messages(sent) == [
        {"type": "clock", "fact": 4, "stream": 0, "sample": 5600, "unix_ms": 5000}
    ]
    assert frames(sent) == [(0, 7, 5600)]
    protocol.end()
    assert messages(outgoing(protocol, 0)) == [
        {"type": "end", "streams": [{"id": 0, "last_seq": 7}], "last_fact": 4}
    ]


def test_audio_beyond_what_is_held_becomes_a_gap_of_the_sample_clock() -> None:
    protocol = bot()
    second = b"\0\0" * 8000
    for _ in range(HELD_AUDIO_S + 2):
        protocol.add_audio(0, second)
    assert protocol.drain_events() == [AudioSkipped(0, 8000), AudioSkipped(0, 8000)]
    opened(protocol, window=1000)
    assert len(frames(outgoing(protocol, 0))) == HELD_AUDIO_S
    protocol.received(ack(HELD_AUDIO_S - 1), 0)
    protocol.add_audio(0, second)
    assert frames(outgoing(protocol, 0)) == [(0, HELD_AUDIO_S, (HELD_AUDIO_S + 2) * 8000)]


def test_facts_beyond_what_is_held_are_dropped_and_counted() -> None:
    protocol = bot()
    chat = ChatFact(0, "p-1", "Ana", "hello", None)
    taken = [protocol.add_fact(chat) for _ in range(HELD_FACTS + 1)]
    assert taken == [True] * HELD_FACTS + [False]
    assert protocol.facts.dropped == 1


def test_audio_never_overtakes_a_fact_and_facts_keep_their_rate() -> None:
    protocol = opened(bot())
    for number in range(12):
        protocol.add_fact(SpeakerFact(0, "start", "p-1", "Ana", SampleMoment(0, number)))
    protocol.add_audio(0, FRAME)
    sent = outgoing(protocol, 0)
    assert [one["fact"] for one in messages(sent)] == list(range(10))
    assert frames(sent) == []
    assert protocol.wake_ns() == 25 * MS
    assert [one["fact"] for one in messages(outgoing(protocol, 25 * MS))] == [10]
    sent = outgoing(protocol, 50 * MS)
    assert [one["fact"] for one in messages(sent)] == [11]
    assert frames(sent) == [(0, 0, 0)]


def test_unacked_facts_go_again_after_a_reconnect() -> None:
    protocol = opened(bot())
    for text in ("a", "b", "c"):
        protocol.add_fact(ChatFact(0, "p-1", "Ana", text, UnixMoment(7)))
    outgoing(protocol, 0)
    protocol.received(ack(-1, facts=0), 0)
    protocol.connection_lost(0)
    protocol.connected(SECOND)
    outgoing(protocol, SECOND)
    protocol.received(welcome((0, 0, 0), next_fact=1), SECOND)
    again = messages(outgoing(protocol, SECOND))
    assert [(one["fact"], one["text"], one["unix_ms"]) for one in again] == [
        (1, "b", 7),
        (2, "c", 7),
    ]


def test_facts_have_the_documented_shapes() -> None:
    protocol = opened(bot())
    ana = ParticipantRef("p-1", "Ana", "ana@example.org")
    protocol.add_fact(ParticipantFact(0, "join", ana, None))
    caption = CaptionFact(0, "p-1", "Ana", "hi", SampleMoment(0, 8), SampleMoment(0, 16))
    protocol.add_fact(caption)
    protocol.add_fact(CaptionFact(0, "p-1", "Ana", "hi", UnixMoment(1), UnixMoment(2)))
    by = {"participant_id": "p-1", "name": "Ana", "text": "hi"}
    assert messages(outgoing(protocol, 0)) == [
        {
            "type": "participant",
            "fact": 0,
            "event": "join",
            "participant": {
                "id": "p-1",
                "name": "Ana",
                "email": "ana@example.org",
                "is_bot": False,
            },
        },
        {"type": "caption", "fact": 1, "stream": 0, "start_sample": 8, "end_sample": 16, **by},
        {"type": "caption", "fact": 2, "start_unix_ms": 1, "end_unix_ms": 2, **by},
    ]


def test_a_fact_on_an_unknown_stream_is_refused() -> None:
    with pytest.raises(BadRequest):
        bot().add_fact(ClockFact(0, 9, 0, 0))


def test_a_stream_opened_late_is_announced_and_its_audio_waits() -> None:
    protocol = opened(bot())
    protocol.open_stream(StreamSpec(1, MONO_8K))
    protocol.add_audio(1, FRAME)
    sent = outgoing(protocol, 0)
    assert messages(sent)[0]["type"] == "stream"
    assert frames(sent) == []
    position = {"id": 1, "next_seq": 0, "next_sample": 0, "window": 5}
    protocol.received({"type": "stream_open", **position}, 0)
    assert frames(outgoing(protocol, 0)) == [(1, 0, 0)]


def test_end_is_said_when_all_is_sent_and_again_after_a_reconnect() -> None:
    protocol = opened(bot(0, 1), window=1)
    protocol.add_audio(0, FRAME)
    protocol.add_audio(0, FRAME)
    protocol.end()
    assert messages(outgoing(protocol, 0)) == []
    protocol.received(ack(0, window=1), 0)
    end = {
        "type": "end",
        "streams": [{"id": 0, "last_seq": 1}, {"id": 1, "last_seq": -1}],
        "last_fact": -1,
    }
    assert messages(outgoing(protocol, 0)) == [end]
    protocol.connection_lost(0)
    protocol.connected(SECOND)
    outgoing(protocol, SECOND)
    protocol.received(welcome((0, 2, 1600), (1, 0, 0)), SECOND)
    assert messages(outgoing(protocol, SECOND)) == [end]
    protocol.received({"type": "ended", "coverage": {"streams": []}}, SECOND)
    assert protocol.phase == "ended"
    assert protocol.should_close(SECOND)
    assert Ended({"streams": []}) in protocol.drain_events()


def test_goaway_is_obeyed_within_its_time_and_then_without_waiting() -> None:
    protocol = opened(bot())
    protocol.received({"type": "goaway", "reason": "restart", "retry_ms": 4000}, 0)
    protocol.add_audio(0, FRAME)
    assert frames(outgoing(protocol, SECOND)) == [(0, 0, 0)]
    assert not protocol.should_close(SECOND)
    assert protocol.wake_ns() == 2 * SECOND
    assert protocol.should_close(2 * SECOND)
    protocol.connection_lost(2 * SECOND, 1000)
    assert protocol.connect_at_ns == 2 * SECOND


def test_an_idle_connection_is_pinged_and_a_silent_one_given_up() -> None:
    protocol = opened(bot())
    assert outgoing(protocol, PING_INTERVAL_NS - 1) == []
    assert messages(outgoing(protocol, PING_INTERVAL_NS)) == [{"type": "ping", "t": 10_000}]
    assert not protocol.should_close(SILENCE_LIMIT_NS - 1)
    assert protocol.should_close(SILENCE_LIMIT_NS)


@pytest.mark.parametrize(
    ("close_code", "error"),
    [(4004, UnknownSession), (4008, BadAudio), (4009, FrameConflict), (4103, TakenOver)],
)
def test_closes_that_a_reconnect_cannot_mend_fail(
    close_code: int, error: type[OrchestrationError]
) -> None:
    protocol = opened(bot())
    protocol.connection_lost(0, close_code)
    assert protocol.phase == "failed"
    assert type(protocol.error) is error


@pytest.mark.parametrize("close_code", [None, 1000, 1001, 1006, 1011, 1012, 1013])
def test_other_closes_bring_the_bot_back(close_code: int | None) -> None:
    protocol = opened(bot())
    protocol.drain_events()
    protocol.connection_lost(0, close_code)
    assert protocol.drain_events() == [ConnectionLost(close_code, 250 * MS)]


def test_a_fatal_error_is_raised_with_its_own_words_and_facts() -> None:
    protocol = opened(bot())
    error = {"type": "error", "code": "bad_audio", "message": "Odd bytes.", "fatal": True}
    protocol.received({**error, "stream": 0}, 0)
    assert isinstance(protocol.error, BadAudio)
    assert str(protocol.error) == "Odd bytes."
    assert protocol.error.facts == {"stream": 0}


def test_other_errors_are_told_and_the_bot_goes_on() -> None:
    protocol = opened(bot())
    protocol.drain_events()
    for code, fatal in (("bad_request", False), ("database_unavailable", True)):
        error = {"type": "error", "code": code, "message": "Oh.", "fatal": fatal}
        protocol.received(error, 0)
    assert protocol.drain_events() == [
        Complaint("bad_request", "Oh."),
        Complaint("database_unavailable", "Oh."),
    ]
    assert protocol.phase == "open"


def test_acks_and_welcomes_that_do_not_fit_fail_instead_of_losing_audio() -> None:
    acked_too_much, forgotten = opened(bot()), opened(bot())
    acked_too_much.received(ack(5), 0)
    assert isinstance(acked_too_much.error, FrameConflict)
    forgotten.add_audio(0, FRAME)
    outgoing(forgotten, 0)
    forgotten.received(ack(0), 0)
    forgotten.connection_lost(0)
    forgotten.connected(0)
    forgotten.received(welcome((0, 0, 0)), 0)
    assert isinstance(forgotten.error, FrameConflict)


@pytest.mark.parametrize("message", [None, [], {}, {"type": "ack"}, {"type": "nack", "stream": 9}])
def test_messages_of_an_unknown_shape_fail_with_a_named_error(message: Any) -> None:
    protocol = opened(bot())
    protocol.received(message, 0)
    assert isinstance(protocol.error, BadRequest)


def test_unknown_message_types_are_ignored() -> None:
    protocol = opened(bot())
    protocol.received({"type": "weather"}, 0)
    assert protocol.error is None


def test_audio_that_is_not_whole_samples_is_refused() -> None:
    with pytest.raises(BadAudio):
        bot().add_audio(0, b"\0" * 3)


def test_payloads_over_the_frame_limit_are_cut_at_whole_samples() -> None:
    stereo = PcmFormat("f32le", 48_000, 2)
    protocol = IngestProtocol([StreamSpec(0, stereo)], now_ns=0)
    opened(protocol)
    protocol.add_audio(0, b"\0" * 8 * 9600)
    sent = outgoing(protocol, 0)
    assert frames(sent) == [(0, 0, 0), (0, 1, 8189)]
    assert [len(one) for one in sent] == [20 + 8 * 8189, 20 + 8 * 1411]
