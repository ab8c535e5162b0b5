"""Senders that go, fall silent or send what does not fit: what a session makes of them."""

import pytest

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import (
    BadAudio,
    BadRequest,
    FrameConflict,
    FramesAfterEnd,
    SessionEnded,
)
from orchestration.session.inputs import (
    AudioFrame,
    ClockFact,
    StreamSpec,
)
from orchestration.session.values import SessionValues
from tests.unit.session.meeting import RATE, Meeting, silence, speech, words


def test_a_repeated_frame_is_dropped_and_a_skipped_one_is_asked_for() -> None:
    meeting = Meeting.begun()
    meeting.play(silence(3))
    repeat = meeting.send(AudioFrame(0, 1, RATE // 10, silence(1)))
    assert (repeat.frames, repeat.error) == ([], None)

    ahead = meeting.send(AudioFrame(0, 5, RATE // 2, silence(1)))
    assert ahead.nacks == ((0, 3),)
    assert meeting.session.ledgers[0].next_seq == 3


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (AudioFrame(0, 3, 3 * RATE // 10, b"\0\0\0"), BadAudio),
        (AudioFrame(0, 3, 0, silence(1)), BadAudio),
        (AudioFrame(0, 3, 3601 * RATE, silence(1)), BadAudio),
        (AudioFrame(7, 0, 0, silence(1)), BadAudio),
        (AudioFrame(0, 1, RATE // 10, speech(1)), FrameConflict),
    ],
    ids=["odd length", "clock goes back", "clock leaps", "unknown stream", "other content"],
)
def test_bad_audio_is_refused_and_changes_nothing(
    frame: AudioFrame, expected: type[Exception]
) -> None:
    meeting = Meeting.begun()
    meeting.play(silence(3))
    before = meeting.fates()

    judgement = meeting.send(frame)

    assert type(judgement.error) is expected
    assert meeting.fates() == before
    assert meeting.session.ledgers[0].next_seq == 3


def test_frames_after_the_announced_end_are_refused() -> None:
    meeting = Meeting.begun()
    meeting.play(speech(5))
    meeting.end()
    judgement = meeting.send(AudioFrame(0, 5, 5 * RATE // 10, silence(1)))
    assert isinstance(judgement.error, FramesAfterEnd)


def test_a_fact_that_skips_a_number_is_refused() -> None:
    meeting = Meeting.begun()
    judgement = meeting.send(ClockFact(2, 0, 0, 1))
    assert isinstance(judgement.error, BadRequest)
    assert judgement.error.facts == {"expected": 0}


def test_a_known_stream_keeps_its_format() -> None:
    meeting = Meeting.begun()
    with pytest.raises(BadAudio):
        meeting.session.check_stream(StreamSpec(0, PcmFormat("f32le", RATE, 1)))


def test_a_session_without_its_bot_is_abandoned_and_ends() -> None:
    meeting = Meeting.begun(values=SessionValues(abandoned_after_ms=60_000))
    meeting.play(silence(10))
    meeting.session.disconnected(meeting.now_ms)
    assert not meeting.session.must_abandon(meeting.now_ms + 59_999)
    assert meeting.session.must_abandon(meeting.now_ms + 60_000)

    meeting.session.abandon(meeting.now_ms)
    meeting.settle()

    told = [body["status"] for body in meeting.told("status")]
    assert told == ["active", "abandoned", "ending", "completed"]


def test_a_session_says_how_long_its_sender_is_away_while_it_needs_one() -> None:
    meeting = Meeting.begun()
    assert meeting.session.senderless_ms(5000) == 0
    meeting.session.disconnected(1000)
    assert meeting.session.senderless_ms(5000) == 4000
    meeting.session.end_now(5000)
    assert meeting.session.senderless_ms(9000) == 0


def test_an_ended_session_opens_no_streams() -> None:
    meeting = Meeting.begun()
    meeting.session.end_now(meeting.now_ms)
    with pytest.raises(SessionEnded):
        meeting.open(1)


def test_the_last_words_do_not_wait_for_a_sender_that_sends_no_silence() -> None:
    meeting = Meeting.begun(values=SessionValues(stall_after_ms=3000))
    meeting.play(speech(20) + silence(3))
    assert meeting.orders == []

    meeting.wait(3000)
    meeting.answer(words(("Hello.", 100, 1800)))
    assert meeting.lines() == [(None, "Hello.")]

    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("Again.", 100, 900)))
    assert meeting.lines()[1:] == [(None, "Again.")]


def test_audio_that_stops_in_mid_speech_is_late_and_cuts_no_word() -> None:
    meeting = Meeting.begun(values=SessionValues(stall_after_ms=3000))
    meeting.play(speech(20))
    meeting.wait(10_000)
    assert meeting.orders == []


def test_who_mutes_the_microphone_with_the_last_word_is_heard_before_speaking_again() -> None:
    meeting = Meeting.begun(values=SessionValues(force_commit_after_ms=12_000))
    meeting.play(speech(20))
    for _ in range(24):
        meeting.wait(500)
    meeting.answer(words(("Goodbye.", 100, 1800)))

    assert meeting.lines() == [(None, "Goodbye.")]
    assert meeting.fates() == (20 * RATE // 10, 20 * RATE // 10, 0, 0, 0)


def test_words_become_final_though_the_audio_stops_in_mid_speech() -> None:
    meeting = Meeting.begun(values=SessionValues(force_commit_after_ms=12_000))
    meeting.play(speech(42))
    meeting.answer(words(("One", 2700, 3100), ("two", 3200, 3600), ("thr", 3900, 4000)))
    assert meeting.lines() == []

    meeting.wait(12_000)
    assert [text for _, text in meeting.lines()] == ["One two"]

    meeting.play(speech(20) + silence(10))
    meeting.answer(words(("two", 1210, 1610), ("three", 1900, 2400)))
    meeting.answer(words())
    assert [text for _, text in meeting.lines()] == ["One two", "three"]


def test_a_sender_that_lost_its_connection_ends_no_utterance() -> None:
    meeting = Meeting.begun(values=SessionValues(stall_after_ms=3000))
    meeting.play(speech(20) + silence(3))
    meeting.session.disconnected(meeting.now_ms)
    meeting.wait(10_000)
    assert meeting.orders == []
