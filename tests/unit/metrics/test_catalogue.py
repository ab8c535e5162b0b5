"""The rules that every metric keeps."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestration.metrics.catalogue import CATALOGUE, Metric
from orchestration.metrics.exposition import NODE, exposition
from orchestration.metrics.meter import Tally
from orchestration.metrics.node_figures import NodeFigures

EVERY = pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
CLOSED = {
    *("actor", "direction", "fate", "kind", "level", "part", "process", "resource", "result"),
    *("stage", "state", "status"),
}
"""Labels whose values are in the code."""
BY_SETTINGS = {"pool", "upstream"}


@EVERY
def test_a_metric_is_named_by_prometheus_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"orchestration(_[a-z]+)+", metric.name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert not re.search(r"_(ms|milliseconds|minutes|percent|kb|mb)(_|$)", metric.name)
    assert metric.help.endswith(".")
    if metric.kind == "histogram":
        assert metric.name.endswith("_seconds")
        assert list(metric.buckets) == sorted(set(metric.buckets))
    else:
        assert metric.buckets == ()


@EVERY
def test_what_lasts_as_long_as_a_gauge_has_its_labels(metric: Metric) -> None:
    if metric.while_there:
        gauge = CATALOGUE[metric.while_there]
        assert (gauge.kind, gauge.labels) == ("gauge", metric.labels)
    assert bool(metric.while_there) == ("upstream" in metric.labels and metric.kind != "gauge")


@EVERY
def test_no_label_has_endlessly_many_values(metric: Metric) -> None:
    assert set(metric.labels) <= CLOSED | BY_SETTINGS


def test_every_metric_is_read_back_from_prometheus_text_as_it_was_recorded() -> None:
    tally, node = Tally(), NodeFigures()
    awkward = 'a "quoted"\nname\\'
    for metric in CATALOGUE.values():
        labels = [awkward for _ in metric.labels]
        if metric.kind == "counter":
            tally.count(metric, 3, *labels)
        elif metric.kind == "gauge":
            tally.set(metric, 2.5, *labels)
        else:
            tally.observe(metric, metric.buckets[1], *labels)
    node.take("one", 1, tally.take(), 0)
    text = exposition({"10.0.0.1": node.figures(0)}).decode()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    for metric in CATALOGUE.values():
        family = families[metric.name.removesuffix("_total")]
        assert family.type == metric.kind
        expected = {**dict.fromkeys(metric.labels, awkward), NODE: "10.0.0.1"}
        samples = {
            (sample.name, sample.labels.get("le")): sample.value
            for sample in family.samples
            if {name: value for name, value in sample.labels.items() if name != "le"} == expected
        }
        assert len(samples) == len(family.samples)
        if metric.kind == "counter":
            assert samples == {(metric.name, None): 3}
        elif metric.kind == "gauge":
            assert samples == {(metric.name, None): 2.5}
        else:
            assert samples[f"{metric.name}_bucket", str(metric.buckets[0])] == 0
            assert samples[f"{metric.name}_bucket", str(metric.buckets[1])] == 1
            assert samples[f"{metric.name}_bucket", "+Inf"] == 1
            assert samples[f"{metric.name}_sum", None] == metric.buckets[1]
