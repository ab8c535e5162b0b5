"""Windows, accuracy, quality, and what is corrected."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.timing.alignment import (
    ACCURACY_BANDS,
    DEFAULT_TOLERANCE_NS,
    MOVABLE,
    Accuracy,
    Source,
    SourceMeasure,
    TimeWindow,
    accuracy_of,
    corrections_for,
    match_confidence,
    reasons_to_leave,
    synchronization_quality,
)

MS = 10**6
HOURS_NS = 10**13

moments = st.integers(-HOURS_NS, HOURS_NS)
windows = st.tuples(moments, moments).map(lambda pair: TimeWindow(min(pair), max(pair)))
tolerances = st.integers(0, 10**10)


def measure(
    offset_ms: int = 150,
    *,
    source: Source = Source.CAPTIONS,
    matched: int = 20,
    correction_ms: int = 0,
    pairs: int = 60,
    shorter: int = 20,
) -> SourceMeasure:
    """A source whose rows are all off by the same."""
    accuracy = accuracy_of((offset_ms - correction_ms) * MS)
    bands = tuple(matched * (band.accuracy == accuracy) for band in ACCURACY_BANDS)
    return SourceMeasure(
        source, pairs, shorter, matched, offset_ms * MS, 0, correction_ms * MS, bands
    )


def test_a_window_lasts_from_its_start_to_its_end() -> None:
    assert TimeWindow(5, 25).duration_ns == 20


def test_a_window_never_runs_backwards() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        TimeWindow(2, 1)


@given(windows, windows, tolerances)
def test_overlap_is_symmetric(one: TimeWindow, other: TimeWindow, tolerance_ns: int) -> None:
    assert one.overlaps(other, tolerance_ns) == other.overlaps(one, tolerance_ns)
    assert one.overlap_ns(other) == other.overlap_ns(one)
    assert one.intersection(other) == other.intersection(one)


@given(windows, windows)
def test_the_intersection_is_what_both_cover_or_none(one: TimeWindow, other: TimeWindow) -> None:
    common = one.intersection(other)
    if common is None:
        assert one.overlap_ns(other) == 0
    else:
        assert common.duration_ns == one.overlap_ns(other)
        assert common.intersection(one) == common == common.intersection(other)
        assert one.overlaps(other)


@given(windows, windows, tolerances)
def test_a_tolerance_only_adds_overlaps(
    one: TimeWindow, other: TimeWindow, tolerance_ns: int
) -> None:
    assert one.overlaps(other, tolerance_ns) >= one.overlaps(other)


@given(moments, st.integers(0, HOURS_NS), st.integers(0, HOURS_NS), st.integers(1, 10**10))
def test_windows_that_touch_overlap_with_a_tolerance_alone(
    at_ns: int, before_ns: int, after_ns: int, tolerance_ns: int
) -> None:
    first, second = TimeWindow(at_ns - before_ns, at_ns), TimeWindow(at_ns, at_ns + after_ns)
    assert not first.overlaps(second)
    assert first.intersection(second) is None
    assert first.overlaps(second, tolerance_ns)


@pytest.mark.parametrize(
    ("offset_ms", "accuracy"),
    [
        (0, "exact"),
        (10, "exact"),
        (11, "high"),
        (50, "high"),
        (51, "medium"),
        (200, "medium"),
        (201, "low"),
        (500, "low"),
        (501, "poor"),
        (9999, "poor"),
    ],
)
def test_accuracy_falls_by_bands_of_10_50_200_and_500_ms(offset_ms: int, accuracy: str) -> None:
    assert accuracy_of(offset_ms * MS) == accuracy_of(-offset_ms * MS) == Accuracy(accuracy)


@given(st.integers(0, HOURS_NS), st.integers(0, HOURS_NS))
def test_a_greater_offset_is_never_more_accurate(one_ns: int, other_ns: int) -> None:
    order = [band.accuracy for band in ACCURACY_BANDS]
    ranks = [order.index(accuracy_of(ns)) for ns in sorted((one_ns, other_ns))]
    assert ranks == sorted(ranks)


def test_weights_fall_with_the_bands() -> None:
    assert all(one.weight > other.weight for one, other in pairwise(ACCURACY_BANDS))


@given(windows, windows, st.floats(0, 1))
def test_a_match_is_never_surer_than_its_rows(
    one: TimeWindow, other: TimeWindow, confidence: float
) -> None:
    assert 0 <= match_confidence(one, other, confidence) <= confidence


def test_the_same_window_is_surer_than_half_of_it_and_that_than_none() -> None:
    whole, half = TimeWindow(0, 4000 * MS), TimeWindow(0, 2000 * MS)
    apart = TimeWindow(5000 * MS, 6000 * MS)
    confidences = [match_confidence(whole, other) for other in (whole, half, apart)]
    assert confidences == [1.0, 0.5, 0.0]


def test_quality_is_the_mean_of_the_sources_that_tell_an_offset() -> None:
    told = [measure(0), measure(150, source=Source.SPEAKER_INTERVALS)]
    silent = measure(4000, source=Source.CORRELATIONS, matched=2)
    assert synchronization_quality([*told, silent]) == pytest.approx(0.85)
    assert synchronization_quality([silent]) is None
    assert synchronization_quality([]) is None


@given(st.lists(st.integers(0, 50), min_size=5, max_size=5))
def test_quality_lies_between_0_and_1(counts: list[int]) -> None:
    one = replace(measure(), matched=sum(counts), matched_by_band=tuple(counts))
    assert 0 <= one.quality <= 1


def test_150_ms_are_corrected_by_150_ms() -> None:
    (correction,) = corrections_for([measure(150)], DEFAULT_TOLERANCE_NS)
    assert (correction.source, correction.offset_ns) == (Source.CAPTIONS, 150 * MS)
    assert correction.reason == "20 rows are 0.150 s late in the median"


@given(st.integers(-4000, 4000), st.integers(-4000, 4000), st.integers(0, 500))
def test_what_is_corrected_needs_no_more_correction(
    offset_ms: int, correction_ms: int, threshold_ms: int
) -> None:
    before = measure(offset_ms, correction_ms=correction_ms)
    for correction in corrections_for([before], threshold_ms * MS):
        after = measure(offset_ms, correction_ms=correction.offset_ns // MS)
        assert after.remaining_ns == 0
        assert after.quality >= before.quality
        assert corrections_for([after], threshold_ms * MS) == []


@pytest.mark.parametrize("source", sorted(set(Source) - set(MOVABLE)))
def test_what_the_service_heard_itself_never_moves(source: Source) -> None:
    assert corrections_for([measure(400, source=source)], 0) == []


@pytest.mark.parametrize(
    "doubtful",
    [
        measure(400, matched=3, shorter=3, pairs=3),
        measure(400, matched=20, shorter=200, pairs=200),
        measure(400, matched=20, shorter=50, pairs=700),
    ],
    ids=["too few", "too small a share", "no more than by chance"],
)
def test_an_offset_on_which_too_few_agree_is_not_told(doubtful: SourceMeasure) -> None:
    assert corrections_for([doubtful], 0) == []
    assert reasons_to_leave([doubtful], []) == {
        Source.CAPTIONS: "its rows agree on no offset",
        Source.SPEAKER_INTERVALS: "no row has a counterpart",
        Source.CORRELATIONS: "no row has a counterpart",
    }
