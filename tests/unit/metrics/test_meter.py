"""Counting in a process, adding up in a node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.metrics import catalogue
from orchestration.metrics.catalogue import CATALOGUE, Metric
from orchestration.metrics.meter import Report, Tally
from orchestration.metrics.node_figures import (
    GAUGES_LAST_MS,
    NUMBERS_LAST_MS,
    Figures,
    NodeFigures,
)

WAIT = (catalogue.CHUNK_SECONDS.name, ("wait",))
FRAMES = (catalogue.FRAMES.name, ())


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400), st.booleans()), max_size=40),
    st.booleans(),
)
def test_a_node_adds_up_its_processes_however_their_reports_are_cut_and_repeated(
    events: list[tuple[int, int, bool]], repeats: bool
) -> None:
    tallies, numbers = [Tally() for _ in range(4)], [0] * 4
    node = NodeFigures()

    def report(process: int) -> None:
        numbers[process] += 1
        taken = tallies[process].take()
        for _ in range(1 + repeats):
            node.take(f"p{process}", numbers[process], taken, 0)

    for process, tenths, reports_now in events:
        tallies[process].count(catalogue.FRAMES, tenths)
        tallies[process].observe(catalogue.CHUNK_SECONDS, tenths / 10, "wait")
        if reports_now:
            report(process)
    for process in range(4):
        report(process)

    figures = node.figures(0)
    assert figures.counters.get(FRAMES, 0) == sum(tenths for _, tenths, _ in events)
    if events:
        waits = figures.histograms[WAIT]
        assert sum(waits.counts) == len(events)
        assert round(waits.sum * 10) == sum(tenths for _, tenths, _ in events)
        for place, bound in enumerate(catalogue.CHUNK_SECONDS.buckets):
            within = sum(tenths / 10 <= bound for _, tenths, _ in events)
            assert sum(waits.counts[: place + 1]) == within


def test_gauges_of_a_node_s_processes_are_added_or_the_highest_is_taken() -> None:
    node = NodeFigures()
    for process, (requests, lag_s) in {"a": (2, 5.0), "b": (3, 1.5)}.items():
        tally = Tally()
        tally.set(catalogue.ENGINE_REQUESTS, requests, "transcribe")
        tally.set(catalogue.JOURNAL_LAG_SECONDS, lag_s)
        node.take(process, 1, tally.take(), 0)

    gauges = node.figures(0).gauges
    assert gauges[catalogue.ENGINE_REQUESTS.name, ("transcribe",)] == 5
    assert gauges[catalogue.JOURNAL_LAG_SECONDS.name, ()] == 5.0


def test_gauges_of_a_process_that_is_gone_are_forgotten_and_what_it_counted_stays() -> None:
    tally, node = Tally(), NodeFigures()
    tally.set(catalogue.WARM_ACTORS, 2)
    tally.count(catalogue.FRAMES, 7)
    node.take("gone", 1, tally.take(), 0)

    figures = node.figures(GAUGES_LAST_MS)
    assert figures.gauges == {}
    assert figures.counters == {FRAMES: 7}


def test_a_report_that_is_sent_again_after_an_outage_counts_once() -> None:
    node = NodeFigures()
    reports = []
    for _ in range(2):
        tally = Tally()
        tally.count(catalogue.FRAMES, 7)
        reports.append(tally.take())
    node.take("p", 1, reports[0], 0)
    node.take("p", 2, reports[1], 1)
    node.take("p", 1, reports[0], 2)
    node.take("p", 2, reports[1], NUMBERS_LAST_MS)
    assert node.figures(NUMBERS_LAST_MS).counters == {FRAMES: 14}


def test_a_total_that_something_else_keeps_is_counted_by_its_growth() -> None:
    tally = Tally()
    for total in (3, 3, 10, 2):
        tally.count_to(catalogue.CONNECTIONS_OPENED, total)
    assert tally.take().counters == {(catalogue.CONNECTIONS_OPENED.name, ()): 12}


@pytest.mark.parametrize(
    "metric", [one for one in CATALOGUE.values() if one.kind == "gauge"], ids=lambda one: one.name
)
def test_a_gauge_of_what_is_gone_is_no_more(metric: Metric) -> None:
    tally, node = Tally(), NodeFigures()
    gone, there = ([name] * len(metric.labels) for name in ("gone", "there"))
    tally.set(metric, 1, *gone)
    tally.set(metric, 2, *there)
    node.take("one", 1, tally.take(), 0)
    if metric.labels:
        tally.set(metric, 2, *there)
    node.take("one", 2, tally.take(), 0)
    assert node.figures(0).gauges == ({(metric.name, tuple(there)): 2} if metric.labels else {})


def report_of(pools: dict[str, int], upstreams: dict[str, int]) -> Report:
    """A process's first report: requests by service, as its pool keeps them, of those in it; and
    answers that came from whichever."""
    tally = Tally()
    for upstream, requests in pools.items():
        tally.set(catalogue.UPSTREAM_OUTSTANDING, 0, "whisper", upstream)
        tally.count_to(catalogue.UPSTREAM_REQUESTS, requests, "whisper", upstream)
    for upstream, answers in upstreams.items():
        for _ in range(answers):
            tally.observe(catalogue.UPSTREAM_SECONDS, 0.1, "whisper", upstream)
    return tally.take()


def requests_by_service(figures: Figures) -> dict[str, float]:
    name = catalogue.UPSTREAM_REQUESTS.name
    return {
        labels[1]: count for (metric, labels), count in figures.counters.items() if metric == name
    }


def test_what_was_counted_of_a_service_goes_when_no_process_has_it_any_more() -> None:
    node = NodeFigures()
    node.take("a", 1, report_of({"one": 5, "other": 7}, {"one": 5, "other": 7}), 0)
    node.take("b", 1, report_of({"one": 1, "other": 1}, {}), 0)
    node.take("a", 2, report_of({"one": 2}, {"one": 2, "other": 1}), 0)
    assert requests_by_service(node.figures(0)) == {"one": 8, "other": 8}
    node.take("b", 2, report_of({"one": 1}, {"other": 1}), 0)
    figures = node.figures(0)
    assert requests_by_service(figures) == {"one": 9}
    assert {labels for _, labels in figures.histograms} == {("whisper", "one")}
    node.take("b", 3, report_of({"one": 0, "other": 2}, {}), 0)
    assert requests_by_service(node.figures(0)) == {"one": 9, "other": 2}


def test_what_was_counted_of_a_service_outlasts_a_process_until_it_is_forgotten() -> None:
    node = NodeFigures()
    node.take("a", 1, report_of({"one": 5}, {}), 0)
    assert requests_by_service(node.figures(GAUGES_LAST_MS)) == {"one": 5}
    assert requests_by_service(node.figures(NUMBERS_LAST_MS)) == {}


def test_a_total_that_was_away_for_a_report_began_anew() -> None:
    tally = Tally()
    steps: list[tuple[dict[str, int], dict[str, int]]] = [
        ({"one": 3, "other": 5}, {"one": 3, "other": 5}),
        ({"one": 4}, {"one": 1}),
        ({"one": 4, "other": 8}, {"other": 8}),
        # Nothing was looked at.
        ({}, {}),
        ({"one": 6}, {"one": 2}),
    ]
    for totals, more in steps:
        for upstream, total in totals.items():
            tally.count_to(catalogue.UPSTREAM_REQUESTS, total, "whisper", upstream)
        counted = {labels[1]: amount for (_, labels), amount in tally.take().counters.items()}
        assert counted == more


def test_what_a_node_has_answered_does_not_change_under_its_reader() -> None:
    tally, node = Tally(), NodeFigures()
    tally.observe(catalogue.CHUNK_SECONDS, 1.0, "wait")
    tally.count(catalogue.FRAMES)
    report = tally.take()
    node.take("one", 1, report, 0)
    before = node.figures(0)
    node.take("another", 1, report, 0)

    assert (before.counters[FRAMES], before.histograms[WAIT].sum) == (1, 1.0)
    after = node.figures(0)
    assert (after.counters[FRAMES], after.histograms[WAIT].sum) == (2, 2.0)
    assert report.histograms[WAIT].sum == 1.0
