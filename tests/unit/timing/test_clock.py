"""The session's timeline, with literal wall clocks."""

from orchestration.session.inputs import SampleMoment, UnixMoment
from orchestration.timing.clock import MAX_SESSION_NS, SessionClock

RATE = 16_000
T0 = 1_700_000_000_000
MS = 1_000_000


def test_session_zero_is_the_first_sample_of_the_first_stream_with_audio() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    clock.add_stream(1, RATE)
    assert clock.zero_unix_ms is None

    clock.audio_arrived(1, RATE // 10, T0 * MS)

    assert clock.zero_unix_ms == T0 - 100
    assert clock.session_ns(1, RATE) == 1_000_000_000


def test_a_later_stream_is_placed_by_the_arrival_of_its_first_frame() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    clock.add_stream(1, 48_000)
    clock.audio_arrived(0, RATE // 10, T0 * MS)
    clock.audio_arrived(1, 4_800, (T0 + 2_000) * MS)
    assert clock.session_ns(1, 0) == 2_000_000_000
    assert clock.session_ns(1, 48_000) == 3_000_000_000


def test_the_sender_s_stamp_is_better_than_arrival() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    clock.add_stream(1, RATE)
    clock.sender_stamped(0, 0, T0)
    clock.audio_arrived(0, RATE // 10, (T0 + 400) * MS)
    clock.sender_stamped(1, RATE, T0 + 1_500)
    clock.audio_arrived(1, RATE // 10, (T0 + 900) * MS)
    assert clock.zero_unix_ms == T0
    assert clock.session_ns(1, 0) == 500_000_000


def test_a_settled_stream_does_not_move() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    clock.add_stream(1, RATE)
    clock.audio_arrived(0, RATE // 10, T0 * MS)
    clock.audio_arrived(1, RATE // 10, (T0 + 700) * MS)
    assert clock.settle(1) == 700_000_000
    clock.sender_stamped(1, 0, T0 + 5_000)
    assert clock.session_ns(1, 0) == 700_000_000


def test_session_times_are_never_negative() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    clock.add_stream(1, RATE)
    clock.audio_arrived(0, RATE // 10, T0 * MS)
    clock.sender_stamped(1, 0, T0 - 9_000)
    assert clock.session_ns(1, 0) == 0
    assert clock.moment_ns(UnixMoment(T0 - 9_000)) == 0


def test_moments_are_placed_by_sample_or_wall_clock() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    assert clock.moment_ns(UnixMoment(T0)) is None
    clock.sender_stamped(0, 0, T0)
    clock.audio_arrived(0, RATE // 10, T0 * MS)
    assert clock.moment_ns(SampleMoment(0, 8_000)) == 500_000_000
    assert clock.moment_ns(UnixMoment(T0 + 250)) == 250_000_000
    assert clock.moment_ns(SampleMoment(9, 0)) is None


def test_a_restored_clock_goes_on_where_it_was() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    clock.restore(T0, {0: 300_000_000})
    clock.audio_arrived(0, RATE, (T0 + 60_000) * MS)
    assert clock.zero_unix_ms == T0
    assert clock.session_ns(0, RATE) == 1_300_000_000


def test_a_sender_s_clock_that_was_never_set_places_nothing() -> None:
    for unix_ms, sample in ((0, 0), (253_402_300_799_999, 0), (T0, 2**63 - 1)):
        clock = SessionClock()
        clock.add_stream(0, RATE)
        clock.add_stream(1, RATE)
        clock.audio_arrived(0, RATE // 10, T0 * MS)
        clock.audio_arrived(1, RATE // 10, (T0 + 2_000) * MS)
        for stream in (0, 1):
            clock.sender_stamped(stream, sample, unix_ms)
        assert clock.zero_unix_ms == T0 - 100
        assert (clock.settle(0), clock.settle(1)) == (0, 2_000_000_000)


def test_moments_that_no_session_lasts_for_stay_within_what_a_database_holds() -> None:
    clock = SessionClock()
    clock.add_stream(0, RATE)
    clock.audio_arrived(0, RATE // 10, T0 * MS)
    for moment in (UnixMoment(253_402_300_799_999), SampleMoment(0, 2**63 - 1)):
        assert clock.moment_ns(moment) == MAX_SESSION_NS
    assert clock.moment_ns(UnixMoment(0)) == 0
