from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.audio.sample_ranges import SampleRanges
from orchestration.errors import OrchestrationError

SPANS = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda s: (s[0], s[0] + s[1]))
CHANGES = st.lists(st.tuples(st.booleans(), SPANS), max_size=30)


def built(changes: list[tuple[bool, tuple[int, int]]]) -> tuple[SampleRanges, set[int]]:
    ranges, model = SampleRanges(), set[int]()
    for adds, (start, end) in changes:
        if adds:
            ranges.add(start, end)
            model |= set(range(start, end))
        else:
            ranges.remove(start, end)
            model -= set(range(start, end))
    return ranges, model


@given(CHANGES)
def test_ranges_hold_exactly_the_samples_of_a_set(
    changes: list[tuple[bool, tuple[int, int]]],
) -> None:
    ranges, model = built(changes)
    assert {sample for start, end in ranges for sample in range(start, end)} == model
    assert ranges.total == len(model)
    assert bool(ranges) == bool(model)
    assert all((sample in ranges) == (sample in model) for sample in range(-1, 82))


@given(CHANGES)
def test_ranges_are_sorted_disjoint_and_never_touch(
    changes: list[tuple[bool, tuple[int, int]]],
) -> None:
    ranges = list(built(changes)[0])
    assert all(start < end for start, end in ranges)
    assert all(end < start for (_, end), (start, _) in pairwise(ranges))


@given(CHANGES, SPANS)
def test_held_and_missing_divide_any_span_between_them(
    changes: list[tuple[bool, tuple[int, int]]], span: tuple[int, int]
) -> None:
    ranges, model = built(changes)
    held, missing = SampleRanges(ranges.within(*span)), SampleRanges(ranges.missing(*span))
    in_span = set(range(*span))
    assert {s for start, end in held for s in range(start, end)} == model & in_span
    assert {s for start, end in missing for s in range(start, end)} == in_span - model


def test_equal_sets_are_equal_however_they_were_built() -> None:
    assert SampleRanges([(0, 5), (5, 9)]) == SampleRanges([(0, 9)])
    assert SampleRanges([(0, 5)]) != SampleRanges([(0, 6)])
    assert SampleRanges() != "nothing"
    assert repr(SampleRanges([(3, 4), (0, 1)])) == "SampleRanges([(0, 1), (3, 4)])"


def test_a_range_that_ends_before_its_start_is_refused_with_both() -> None:
    with pytest.raises(OrchestrationError) as refusal:
        SampleRanges().add(7, 3)
    assert refusal.value.facts == {"start": 7, "end": 3}


@given(CHANGES, SPANS)
def test_ranges_that_a_span_touches_are_those_that_it_would_be_joined_with(
    changes: list[tuple[bool, tuple[int, int]]], span: tuple[int, int]
) -> None:
    ranges = built(changes)[0]
    start, end = span
    near = [one for one in ranges if one[0] <= end and one[1] >= start] if start < end else []
    assert ranges.touching(start, end) == near
