"""How a client's connection ends, and whether another one follows."""

from typing import Any

import pytest

from orchestration.client.ingest_events import Complaint, ConnectionLost, Ended
from orchestration.client.ingest_protocol import (
    PING_INTERVAL_NS,
    SILENCE_LIMIT_NS,
)
from orchestration.errors import (
    BadAudio,
    BadRequest,
    FrameConflict,
    OrchestrationError,
    TakenOver,
    UnknownSession,
)
from tests.unit.client.ingest_exchange import (
    FRAME,
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
