"""Audio on its way to the service: windows, nacks, gaps, and where it goes on after a break."""

import pytest

from orchestration.audio.pcm import PcmFormat
from orchestration.client.ingest_events import AudioSkipped
from orchestration.client.ingest_protocol import IngestProtocol
from orchestration.client.outbox import HELD_AUDIO_S
from orchestration.errors import BadAudio
from orchestration.session.inputs import (
    ClockFact,
    ParticipantRef,
    StreamSpec,
)
from tests.unit.client.ingest_exchange import (
    FRAME,
    MONO_8K,
    MS,
    SECOND,
    ack,
    bot,
    frames,
    messages,
    opened,
    outgoing,
    welcome,
)


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
