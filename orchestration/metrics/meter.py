"""Counting in a process: cheap, and without a library, as there is a process for each meeting."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from orchestration.metrics.catalogue import Metric

Labels: TypeAlias = tuple[str, ...]
Key: TypeAlias = tuple[str, Labels]
"""A metric's name and the values of its labels, in their order."""


class Meter(Protocol):
    """Where figures go. Label values are given in the order of the metric's labels."""

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        """So much more of a counter."""
        ...

    def count_to(self, metric: Metric, total: float, *labels: str) -> None:
        """A counter that something else keeps stands at `total`; a lower one began anew, and so did
        one that a report had others of its metric without."""
        ...

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """One more value of a histogram."""
        ...

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """A gauge stands at `value`, in the report that comes next and in no other: what is not
        there any more is not set again."""
        ...


@dataclass(slots=True)
class Distribution:
    """Values of a histogram: how many in each bucket, the infinite one last, and their sum."""

    counts: list[int]
    sum: float = 0.0

    def copy(self) -> "Distribution":
        return Distribution(list(self.counts), self.sum)

    def add(self, other: "Distribution") -> None:
        """Take in the values of another, of the same buckets."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


@dataclass(frozen=True, slots=True)
class Report:
    """What a process has to report: what came to counters and histograms since its last report,
    and how its gauges stand."""

    counters: dict[Key, float] = field(default_factory=dict)
    histograms: dict[Key, Distribution] = field(default_factory=dict)
    gauges: dict[Key, float] = field(default_factory=dict)


class Tally:
    """A Meter that keeps everything until it is taken. Its size is that of its labels' values."""

    def __init__(self) -> None:
        self._counters: dict[Key, float] = {}
        self._histograms: dict[Key, Distribution] = {}
        self._gauges: dict[Key, float] = {}
        self._totals: dict[Key, float] = {}
        self._totals_now: dict[Key, float] = {}

    def count(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        key = metric.name, labels
        self._counters[key] = self._counters.get(key, 0) + amount

    def count_to(self, metric: Metric, total: float, *labels: str) -> None:
        key = metric.name, labels
        before = self._totals_now.get(key, self._totals.get(key, 0))
        self._totals_now[key] = total
        more = total - before if total >= before else total
        if more:
            self.count(metric, more, *labels)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        key = metric.name, labels
        distribution = self._histograms.get(key)
        if distribution is None:
            distribution = self._histograms[key] = Distribution([0] * (len(metric.buckets) + 1))
        # A bucket holds its own upper bound.
        distribution.counts[bisect_left(metric.buckets, value)] += 1
        distribution.sum += value

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        self._gauges[metric.name, labels] = value

    def take(self) -> Report:
        """Everything since the last time."""
        report = Report(self._counters, self._histograms, self._gauges)
        self._counters, self._histograms, self._gauges = {}, {}, {}
        told = {name for name, _ in self._totals_now}
        untold = {key: total for key, total in self._totals.items() if key[0] not in told}
        self._totals, self._totals_now = untold | self._totals_now, {}
        return report
