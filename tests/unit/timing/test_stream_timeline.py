"""Where samples lie: what is final stays, what follows is moved by the stream's clock."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.timing.stream_clock import ClockEstimate
from orchestration.timing.stream_timeline import MAX_PIECES, StreamTimeline

RATE = 16_000
S = 1_000_000_000
MS = 1_000_000
T0 = 1_700_000_000 * S


def estimate(offset_ns: int = 0, rate_ppm: float = 0.0) -> ClockEstimate:
    return ClockEstimate(rate_ppm, 0.1, T0 + offset_ns, 100_000)


def followed() -> StreamTimeline:
    """A stream at 2 s whose arrivals are known since its tenth second."""
    timeline = StreamTimeline(RATE, 2 * S)
    assert timeline.follow(estimate(), 10 * RATE, 0) is None
    return timeline


def test_before_its_clock_is_known_a_stream_lies_where_it_was_placed() -> None:
    timeline = StreamTimeline(RATE, 2 * S)
    assert timeline.session_ns(0) == 2 * S
    assert timeline.session_ns(3 * RATE) == 5 * S


def test_drift_moves_what_is_not_final_and_nothing_else() -> None:
    timeline = followed()
    final_ns = timeline.session_ns(99 * RATE)

    piece = timeline.follow(estimate(rate_ppm=100.0), 100 * RATE, 99 * RATE)

    assert piece is not None
    assert timeline.session_ns(98 * RATE) == 100 * S
    assert timeline.session_ns(99 * RATE) == final_ns + 9_900_000
    assert timeline.session_ns(199 * RATE) == 2 * S + 199 * S + 19_900_000


def test_less_than_a_millisecond_is_not_corrected() -> None:
    timeline = followed()
    assert timeline.follow(estimate(offset_ns=999_999), 100 * RATE, 99 * RATE) is None
    assert len(timeline) == 1


def test_lost_capture_moves_what_comes_after_it_and_a_longer_path_does_not() -> None:
    timeline = followed()
    assert timeline.follow(estimate(100 * MS), 100 * RATE, 99 * RATE) is not None
    assert timeline.session_ns(100 * RATE) == 102 * S + 100 * MS

    timeline.delay_changed()

    assert timeline.follow(estimate(140 * MS), 200 * RATE, 199 * RATE) is None
    assert timeline.follow(estimate(140 * MS), 205 * RATE, 204 * RATE) is None
    assert timeline.session_ns(205 * RATE) == 207 * S + 100 * MS


def test_capture_that_came_twice_stands_still_and_does_not_go_back() -> None:
    timeline = followed()

    timeline.follow(estimate(-100 * MS), 100 * RATE, 99 * RATE)

    assert timeline.session_ns(99 * RATE) == 101 * S
    assert timeline.session_ns(99 * RATE + RATE // 20) == 101 * S
    assert timeline.session_ns(100 * RATE) == 102 * S - 100 * MS


def test_a_first_placement_by_a_late_frame_is_corrected() -> None:
    timeline = StreamTimeline(RATE, 2 * S)
    timeline.placed_by_arrival(T0 - 2 * S + 50 * MS)

    timeline.follow(estimate(), 15 * RATE, 14 * RATE)

    assert timeline.session_ns(15 * RATE) == 17 * S - 50 * MS


def test_a_first_placement_that_is_off_by_a_backlog_stays() -> None:
    timeline = StreamTimeline(RATE, 2 * S)
    timeline.placed_by_arrival(T0 - 30 * S)
    assert timeline.follow(estimate(), 15 * RATE, 14 * RATE) is None
    assert timeline.session_ns(15 * RATE) == 17 * S


steps = st.lists(
    st.tuples(
        st.integers(0, 80_000),
        st.integers(0, 1),
        st.integers(-(10**9), 10**9),
        st.integers(-300, 300),
    ),
    min_size=1,
    max_size=40,
)


@given(steps)
def test_whatever_the_clock_says_times_do_not_decrease_and_what_is_final_stays(
    steps: list[tuple[int, int, int, int]],
) -> None:
    timeline = StreamTimeline(RATE, 0)
    final_before = 0
    finals: dict[int, int] = {}
    kept = []
    for advance, reconnects, offset_ns, rate_ppm in steps:
        if reconnects:
            timeline.delay_changed()
        for sample in range(final_before, final_before + advance, 7_001):
            finals[sample] = timeline.session_ns(sample)
        final_before += advance
        piece = timeline.follow(
            estimate(offset_ns, float(rate_ppm)), final_before + RATE, final_before
        )
        if piece is not None:
            kept.append(piece)

    assert {sample: timeline.session_ns(sample) for sample in finals} == finals
    times = [timeline.session_ns(sample) for sample in range(0, final_before + 2 * RATE, 997)]
    assert all(before <= after for before, after in pairwise(times))
    restored = StreamTimeline(RATE, 0)
    for piece in kept:
        restored.restore(piece)
    assert [restored.session_ns(sample) for sample in range(0, final_before, 997)] == times[
        : len(range(0, final_before, 997))
    ]


@given(steps, st.integers(0, 10**7))
def test_a_session_time_leads_back_to_its_sample(
    steps: list[tuple[int, int, int, int]], sample: int
) -> None:
    timeline = StreamTimeline(RATE, 3 * S)
    final_before = 0
    for advance, _, offset_ns, rate_ppm in steps:
        final_before += advance
        timeline.follow(estimate(offset_ns, float(rate_ppm)), final_before + RATE, final_before)
    session_ns = timeline.session_ns(sample)
    again_ns = timeline.session_ns(timeline.sample_at(session_ns))
    # Where a step leaves time out, no sample has it.
    assert abs(again_ns - session_ns) <= 2 * S // RATE


def test_pieces_are_bounded_and_the_latest_stay() -> None:
    timeline = followed()
    for turn in range(2 * MAX_PIECES):
        at = (100 + 10 * turn) * RATE
        timeline.follow(estimate(2 * MS * turn), at, at)
    assert len(timeline) == MAX_PIECES
    assert timeline.session_ns(at) == 2 * S + at * S // RATE + 2 * MS * turn
