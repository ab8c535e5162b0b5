"""Figures in Prometheus' text format."""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from orchestration.metrics.catalogue import CATALOGUE, Metric
from orchestration.metrics.meter import Key
from orchestration.metrics.node_figures import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

NODE = "node"
"""The label that every figure has: the address of the node that it is of."""

KeptT = TypeVar("KeptT")


def exposition(figures_by_node: Mapping[str, Figures]) -> bytes:
    """The metrics of these nodes; one that nothing has happened to is left out."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Nodes(figures_by_node))
    return generate_latest(registry)


class _Nodes(Collector):
    def __init__(self, figures_by_node: Mapping[str, Figures]) -> None:
        self._figures_by_node = figures_by_node

    def collect(self) -> Iterator[Family]:
        for metric in CATALOGUE.values():
            family = _family(metric, self._figures_by_node)
            if family.samples:
                yield family


def _family(metric: Metric, figures_by_node: Mapping[str, Figures]) -> Family:
    if metric.kind == "histogram":
        return _histogram(metric, figures_by_node)
    family: CounterMetricFamily | GaugeMetricFamily
    labels = [*metric.labels, NODE]
    if metric.kind == "counter":
        family = CounterMetricFamily(metric.name, metric.help, labels=labels)
    else:
        family = GaugeMetricFamily(metric.name, metric.help, labels=labels)
    for node, figures in figures_by_node.items():
        kept = figures.counters if metric.kind == "counter" else figures.gauges
        for values, value in _of(metric, kept):
            family.add_metric([*values, node], value)
    return family


def _histogram(metric: Metric, figures_by_node: Mapping[str, Figures]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.name, metric.help, labels=[*metric.labels, NODE])
    bounds = [*(str(bound) for bound in metric.buckets), "+Inf"]
    for node, figures in figures_by_node.items():
        for values, distribution in _of(metric, figures.histograms):
            buckets = list(zip(bounds, accumulate(distribution.counts), strict=True))
            family.add_metric([*values, node], buckets, distribution.sum)
    return family


def _of(metric: Metric, kept: Mapping[Key, KeptT]) -> Iterator[tuple[tuple[str, ...], KeptT]]:
    """Label values and what is kept for them, of one metric."""
    return ((values, one) for (name, values), one in kept.items() if name == metric.name)
