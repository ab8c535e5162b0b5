"""Audio as the service takes it, and streams that a bot has and has not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import BadRequest
from orchestration.session.inputs import StreamSpec
from tests.unit.client.ingest_exchange import (
    FRAME,
    MONO_8K,
    SECOND,
    ack,
    bot,
    frames,
    opened,
    outgoing,
    welcome,
)

HEADER_BYTES = 20


def payloads(sent: list[bytes | str]) -> list[bytes]:
    return [one[HEADER_BYTES:] for one in sent if isinstance(one, bytes)]


@given(
    st.lists(st.integers(1, 40_000), min_size=1, max_size=6),
    st.integers(1024, 70_000),
    st.integers(0, 6),
)
def test_frames_fit_the_limit_of_the_service_whenever_they_were_captured(
    sample_counts: list[int], limit: int, early: int
) -> None:
    protocol = bot()
    audio = [number.to_bytes(2, "little") * count for number, count in enumerate(sample_counts)]
    for payload in audio[:early]:
        protocol.add_audio(0, payload)
    protocol.connected(0)
    outgoing(protocol, 0)
    protocol.received(welcome((0, 0, 0), window=1000) | {"max_frame_bytes": limit}, 0)
    for payload in audio[early:]:
        protocol.add_audio(0, payload)
    sent = outgoing(protocol, 0)
    assert all(len(one) <= limit for one in sent)
    assert b"".join(payloads(sent)) == b"".join(audio)
    starts = [first for _, _, first in frames(sent)]
    lengths = [len(one) // 2 for one in payloads(sent)]
    assert starts == [sum(lengths[:index]) for index in range(len(lengths))]


def test_a_limit_that_falls_leaves_what_was_numbered_as_it_was_sent() -> None:
    protocol = opened(bot(), window=1)
    protocol.add_audio(0, FRAME * 4)
    protocol.add_audio(0, FRAME * 4)
    assert frames(outgoing(protocol, 0)) == [(0, 0, 0)]
    protocol.connection_lost(0)
    protocol.connected(SECOND)
    outgoing(protocol, SECOND)
    protocol.received(welcome((0, 0, 0)) | {"max_frame_bytes": 4000}, SECOND)
    sent = outgoing(protocol, SECOND)
    protocol.received(ack(0), 2 * SECOND)
    for second in range(2, 5):
        sent += outgoing(protocol, second * SECOND)
    assert frames(sent) == [(0, 0, 0), (0, 1, 3200), (0, 2, 5190)]
    assert [len(one) for one in payloads(sent)] == [6400, 3980, 2420]


def test_a_stream_that_is_opened_late_keeps_the_limit_too() -> None:
    protocol = bot()
    protocol.connected(0)
    protocol.received(welcome((0, 0, 0)) | {"max_frame_bytes": 1024}, 0)
    protocol.open_stream(StreamSpec(1, MONO_8K))
    protocol.add_audio(1, FRAME)
    position = {"id": 1, "next_seq": 0, "next_sample": 0, "window": 5}
    protocol.received({"type": "stream_open", **position}, 0)
    assert [len(one) for one in payloads(outgoing(protocol, 0))] == [1004, 596]


def test_two_streams_of_one_number_are_refused_and_nothing_is_lost() -> None:
    with pytest.raises(BadRequest, match="stream 0"):
        bot(0, 0)
    protocol = opened(bot())
    protocol.add_audio(0, FRAME)
    with pytest.raises(BadRequest, match="stream 0"):
        protocol.open_stream(StreamSpec(0, MONO_8K))
    assert frames(outgoing(protocol, 0)) == [(0, 0, 0)]


def test_audio_of_a_stream_that_is_not_open_is_refused_by_its_number() -> None:
    with pytest.raises(BadRequest, match="stream 7"):
        bot().add_audio(7, FRAME)
    with pytest.raises(BadRequest, match="stream 7"):
        bot().skip_samples(7, 1)


def test_capture_does_not_miss_less_than_nothing() -> None:
    with pytest.raises(BadRequest, match="-1 samples"):
        bot().skip_samples(0, -1)
