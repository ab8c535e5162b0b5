"""The figures of all processes of a node, from what they report.

A process reports to its node so that a meeting leaves sums behind and no series of its own: those
of a library would be labelled by process, and there is a process for each meeting.
"""

from dataclasses import dataclass, field

from orchestration.metrics.catalogue import CATALOGUE
from orchestration.metrics.meter import Distribution, Key, Report

GAUGES_LAST_MS = 30_000
"""Gauges of a process that has not reported for this long (three reports) are no more."""

NUMBERS_LAST_MS = 600_000
"""A report that comes again within this time counts once: its sender may not have heard that it was
taken, and send it anew as soon as it finds its node."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How the metrics of a node stand."""

    counters: dict[Key, float] = field(default_factory=dict)
    histograms: dict[Key, Distribution] = field(default_factory=dict)
    gauges: dict[Key, float] = field(default_factory=dict)


_ARE_THERE = frozenset(metric.while_there for metric in CATALOGUE.values() if metric.while_there)
"""Gauges of what figures last as long as: few processes have any."""


@dataclass(slots=True)
class _Source:
    number: int
    reported_ms: int
    gauges: dict[Key, float]
    has: frozenset[Key]
    """Of these gauges those that say what is there."""


class NodeFigures:
    """Adds up reports. Counters begin at 0 with it, as Prometheus expects of a restart.

    What is counted of something that leaves, as of a service of a pool, goes when no process has it
    any more (`Metric.while_there`), and begins at 0 should it come back.
    """

    def __init__(self) -> None:
        self._counters: dict[Key, float] = {}
        self._histograms: dict[Key, Distribution] = {}
        self._sources: dict[str, _Source] = {}

    def take(self, source: str, number: int, report: Report, now_ms: int) -> None:
        """A process's report; `number` rises. One that comes again is taken once."""
        known = self._sources.get(source)
        if known is None or number > known.number:
            for key, amount in report.counters.items():
                self._counters[key] = self._counters.get(key, 0) + amount
            for key, distribution in report.histograms.items():
                if key in self._histograms:
                    self._histograms[key].add(distribution)
                else:
                    self._histograms[key] = distribution.copy()
            has = frozenset(key for key in report.gauges if key[0] in _ARE_THERE)
            self._sources[source] = _Source(number, now_ms, report.gauges, has)
        else:
            known.reported_ms = now_ms
        self._forget_what_is_gone(now_ms)

    def figures(self, now_ms: int) -> Figures:
        """As they stand now."""
        self._forget_what_is_gone(now_ms)
        gauges: dict[Key, float] = {}
        for source in self._sources.values():
            if now_ms - source.reported_ms >= GAUGES_LAST_MS:
                continue
            for key, value in source.gauges.items():
                if key not in gauges:
                    gauges[key] = value
                elif CATALOGUE[key[0]].combine == "max":
                    gauges[key] = max(gauges[key], value)
                else:
                    gauges[key] += value
        histograms = {key: one.copy() for key, one in self._histograms.items()}
        return Figures(dict(self._counters), histograms, gauges)

    def _forget_what_is_gone(self, now_ms: int) -> None:
        self._sources = {
            name: source
            for name, source in self._sources.items()
            if now_ms - source.reported_ms < NUMBERS_LAST_MS
        }
        there = frozenset[Key]().union(*(one.has for one in self._sources.values() if one.has))
        kept: dict[Key, float] | dict[Key, Distribution]
        for kept in (self._counters, self._histograms):
            for name, labels in list(kept):
                gauge = CATALOGUE[name].while_there
                if gauge and (gauge, labels) not in there:
                    del kept[name, labels]
