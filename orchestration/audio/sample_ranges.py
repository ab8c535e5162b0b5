"""Sets of samples, kept as ranges."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from orchestration.errors import OrchestrationError


class SampleRanges:
    """A set of sample numbers as disjoint, sorted, half-open ranges that never touch.

    Changes cost O(log n) to find their place plus the ranges moved or swallowed; `total` is O(1).
    Every method that takes `start, end` raises `OrchestrationError` when `end < start`; an empty
    range holds no sample and changes nothing.
    """

    __slots__ = ("_ends", "_starts", "_total")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._total = 0
        for start, end in ranges:
            self.add(start, end)

    @property
    def total(self) -> int:
        """How many samples the set holds."""
        return self._total

    def add(self, start: int, end: int) -> None:
        """Put the samples in `[start, end)` into the set."""
        if _is_empty(start, end):
            return
        # Ranges first..last-1 overlap the new one or touch it, and become one with it.
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._replace(first, last, [(start, end)])

    def remove(self, start: int, end: int) -> None:
        """Take the samples in `[start, end)` out of the set."""
        if _is_empty(start, end):
            return
        first, last = self._overlapping(start, end)
        if first == last:
            return
        kept = []
        if self._starts[first] < start:
            kept.append((self._starts[first], start))
        if end < self._ends[last - 1]:
            kept.append((end, self._ends[last - 1]))
        self._replace(first, last, kept)

    def within(self, start: int, end: int) -> list[tuple[int, int]]:
        """What the set holds of `[start, end)`, as ranges clipped to it."""
        if _is_empty(start, end):
            return []
        first, last = self._overlapping(start, end)
        return [(max(start, self._starts[i]), min(end, self._ends[i])) for i in range(first, last)]

    def touching(self, start: int, end: int) -> list[tuple[int, int]]:
        """The set's ranges, whole, that overlap `[start, end)` or touch it."""
        if _is_empty(start, end):
            return []
        first, last = bisect_left(self._ends, start), bisect_right(self._starts, end)
        return list(zip(self._starts[first:last], self._ends[first:last], strict=True))

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """What the set lacks of `[start, end)`."""
        lacking = []
        position = start
        for held_start, held_end in self.within(start, end):
            if position < held_start:
                lacking.append((position, held_start))
            position = held_end
        if position < end:
            lacking.append((position, end))
        return lacking

    def __contains__(self, sample: int) -> bool:
        at = bisect_right(self._starts, sample) - 1
        return at >= 0 and sample < self._ends[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SampleRanges):
            return NotImplemented
        return self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"SampleRanges({list(self)})"

    def _overlapping(self, start: int, end: int) -> tuple[int, int]:
        return bisect_right(self._ends, start), bisect_left(self._starts, end)

    def _replace(self, first: int, last: int, ranges: list[tuple[int, int]]) -> None:
        self._total += sum(end - start for start, end in ranges)
        self._total -= sum(self._ends[first:last]) - sum(self._starts[first:last])
        self._starts[first:last] = [start for start, _ in ranges]
        self._ends[first:last] = [end for _, end in ranges]


def _is_empty(start: int, end: int) -> bool:
    if end < start:
        raise OrchestrationError(
            f"A range of samples cannot end at {end}, before its start {start}.",
            {"start": start, "end": end},
        )
    return start == end
