"""Every sample has exactly one fate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import OrchestrationError
from orchestration.storage.values import SampleRange
from orchestration.transcript.coverage import StreamCoverage

RATE = 16_000


def test_samples_are_pending_until_judged() -> None:
    coverage = StreamCoverage(RATE)
    coverage.extend(1000)
    coverage.extend(400)
    assert coverage.duration == coverage.pending == 1000


def test_the_first_verdict_stands() -> None:
    coverage = StreamCoverage(RATE)
    coverage.extend(1000)
    coverage.silent(0, 300)
    coverage.lost(200, 400, "engine_error")
    coverage.transcribed(0, 1000)
    coverage.lost(0, 1000, "too_late")
    totals = coverage.totals()
    assert totals.silent == 300
    assert totals.lost_by_reason == {"engine_error": 100}
    assert totals.transcribed == 600
    assert totals.pending == 0
    assert totals.lost == 100


def test_a_verdict_says_nothing_about_samples_that_have_not_come() -> None:
    coverage = StreamCoverage(RATE)
    coverage.extend(100)
    coverage.transcribed(50, 200)
    coverage.extend(200)
    assert coverage.totals().transcribed == 50
    assert coverage.pending_ranges == (SampleRange(0, 50), SampleRange(100, 200))


def test_a_range_that_ends_before_its_start_is_refused() -> None:
    coverage = StreamCoverage(RATE)
    with pytest.raises(OrchestrationError):
        coverage.silent(10, 9)


def test_the_wire_form_adds_up() -> None:
    coverage = StreamCoverage(RATE)
    coverage.extend(1000)
    coverage.transcribed(0, 500)
    coverage.silent(500, 700)
    coverage.lost(700, 750, "capture_skipped")
    assert coverage.to_json(3) == {
        "id": 3,
        "sample_rate": RATE,
        "duration": 1000,
        "transcribed": 500,
        "silent": 200,
        "pending": 250,
        "lost": 50,
        "lost_by_reason": {"capture_skipped": 50},
    }


samples = st.integers(0, 2000)
verdicts = st.lists(
    st.tuples(
        st.sampled_from(["extend", "transcribed", "silent", "lost a", "lost b"]), samples, samples
    ),
    max_size=40,
)


@given(verdicts)
def test_the_four_fates_always_add_up_to_the_duration(steps: list[tuple[str, int, int]]) -> None:
    coverage = StreamCoverage(RATE)
    expected: list[str] = []
    for verdict, one, other in steps:
        start, end = sorted((one, other))
        if verdict == "extend":
            coverage.extend(end)
            expected.extend(["pending"] * (end - len(expected)))
            continue
        if verdict == "transcribed":
            coverage.transcribed(start, end)
        elif verdict == "silent":
            coverage.silent(start, end)
        else:
            coverage.lost(start, end, verdict)
        for i in range(start, min(end, len(expected))):
            expected[i] = verdict if expected[i] == "pending" else expected[i]

    totals = coverage.totals()
    assert totals.duration == len(expected)
    assert totals.transcribed == expected.count("transcribed")
    assert totals.silent == expected.count("silent")
    assert totals.pending == coverage.pending == expected.count("pending")
    assert totals.lost_by_reason.get("lost a", 0) == expected.count("lost a")
    assert totals.lost_by_reason.get("lost b", 0) == expected.count("lost b")
    assert totals.transcribed + totals.silent + totals.pending + totals.lost == totals.duration
