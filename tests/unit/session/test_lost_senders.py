"""Senders that go without a word, because the process that they were in was killed."""

from typing import Any, cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from orchestration.metrics.meter import Tally
from orchestration.session.exchange import IngestBatch
from orchestration.session.incarnation import Incarnation
from orchestration.session.inputs import StreamSpec
from orchestration.session.live_log import LiveLog
from orchestration.session.sender_channel import LONG_POLL_S, SenderChannel
from orchestration.session.sender_presence import FILE_AWAITED_MS, SILENT_AFTER_MS
from orchestration.session.session import Session
from orchestration.session.session_meter import SessionMeter
from orchestration.session.values import SessionValues
from tests.unit.metrics.session_under_measure import MemoryJournal, frames
from tests.unit.session.meeting import FORMAT, Meeting, claim, silence

PATIENCE_MS = 300_000
VALUES = SessionValues(abandoned_after_ms=PATIENCE_MS)


def session(*, is_upload: bool) -> Session:
    return Session(claim(is_upload=is_upload), VALUES, 0)


def test_a_sender_that_goes_without_a_word_is_waited_for_from_its_last_call_on() -> None:
    one = session(is_upload=False)
    one.connected(1000)
    one.sender_called(5000)
    assert one.senderless_ms(5000 + SILENT_AFTER_MS - 1) == 0
    assert one.senderless_ms(5000 + SILENT_AFTER_MS) == SILENT_AFTER_MS
    assert not one.must_abandon(5000 + PATIENCE_MS - 1)
    assert one.must_abandon(5000 + PATIENCE_MS)


def test_a_sender_that_is_heard_of_again_was_not_gone() -> None:
    one = session(is_upload=False)
    one.connected(0)
    assert one.senderless_ms(100_000) == 100_000
    one.sender_called(100_000)
    assert one.senderless_ms(100_000) == 0
    assert not one.must_abandon(PATIENCE_MS)


@given(st.lists(st.integers(0, SILENT_AFTER_MS - 1), min_size=1, max_size=200))
def test_a_file_that_is_slow_is_waited_for_as_long_as_its_sender_calls(gaps: list[int]) -> None:
    one = session(is_upload=True)
    one.connected(0)
    now_ms = 0
    for gap in gaps:
        now_ms += gap
        assert not one.must_abandon(now_ms)
        one.sender_called(now_ms)
    assert one.must_abandon(now_ms + SILENT_AFTER_MS)


def test_a_session_of_a_file_waits_for_nobody_else() -> None:
    for gone in ("never there", "disconnected", "killed"):
        one = session(is_upload=True)
        if gone != "never there":
            one.connected(0)
        if gone == "disconnected":
            one.disconnected(0)
        assert not one.must_abandon(FILE_AWAITED_MS - 1)
        assert one.must_abandon(FILE_AWAITED_MS)


def test_a_shorter_patience_with_senders_holds_for_files_too() -> None:
    one = Session(claim(is_upload=True), SessionValues(abandoned_after_ms=2000), 0)
    assert one.must_abandon(2000)


def test_a_session_whose_file_broke_off_completes_with_what_had_come() -> None:
    meeting = Meeting(session(is_upload=True))
    meeting.open(0)
    meeting.session.connected(0)
    meeting.play(silence(20))
    meeting.session.abandon(meeting.now_ms)
    meeting.settle()
    told = [(body["status"], body["detail"]) for body in meeting.told("status")]
    assert told == [
        ("active", None),
        ("abandoned", "the upload broke off"),
        ("ending", None),
        ("completed", None),
    ]


def test_the_time_that_a_recovery_takes_is_not_the_senders() -> None:
    one = session(is_upload=True)
    one.replayed(FILE_AWAITED_MS)
    assert not one.must_abandon(2 * FILE_AWAITED_MS - 1)
    assert one.must_abandon(2 * FILE_AWAITED_MS)


def test_a_senders_calls_leave_room_for_a_late_one() -> None:
    assert 2 * LONG_POLL_S * 1000 < SILENT_AFTER_MS


async def test_every_call_of_the_sender_tells_that_it_is_there_and_nobody_elses_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = session(is_upload=False)
    heard: list[int] = []
    monkeypatch.setattr(one, "sender_called", heard.append)
    incarnation = Incarnation(LiveLog(1, 0, 10), structlog.get_logger())
    meter = SessionMeter(Tally(), one)
    channel = SenderChannel(incarnation, one, cast(Any, MemoryJournal()), meter)
    await channel.connect("1", [StreamSpec(0, FORMAT)])
    await channel.connect("2", [])
    assert (await channel.notice("1")).kind == "taken_over"
    assert heard == []
    await channel.open_stream("2", StreamSpec(1, FORMAT))
    assert len(heard) == 1
    await channel.push("2", IngestBatch(frames(silence(1)), (0,)))
    assert len(heard) == 3, "before it is stored and after, which may take long"
    channel.go_away("restart", 1000)
    assert (await channel.notice("2")).kind == "goaway"
    assert len(heard) == 4
