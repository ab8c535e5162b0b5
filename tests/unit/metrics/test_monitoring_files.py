"""Dashboards and rules ask for what there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestration.metrics.catalogue import CATALOGUE, Metric

MONITORING = Path(__file__).parents[3] / "configs" / "monitoring"
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
NAME = re.compile(r"\borchestration_[a-z_]+")
SELECTOR = re.compile(r"\b(orchestration_[a-z_]+)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
GRID_COLUMNS = 24
"""Of a dashboard in Grafana."""
ADDED = {"node", "le", "instance", "job"}
"""Labels that figures get on their way: at the exposition, in buckets, and from Prometheus."""


def metric_of(name: str) -> Metric | None:
    """The metric that a series belongs to."""
    if name in CATALOGUE:
        return None if CATALOGUE[name].kind == "histogram" else CATALOGUE[name]
    whole = CATALOGUE.get(re.sub(r"_(bucket|sum|count)$", "", name))
    return whole if whole is not None and whole.kind == "histogram" else None


def dashboard_queries() -> Iterator[tuple[str, str]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            if panel["datasource"]["type"] == "prometheus":
                yield from (
                    (f"{path.stem}: {panel['title']}", target["expr"])
                    for target in panel["targets"]
                )


def rules() -> Iterator[tuple[str, str]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    yield from ((rule["alert"], rule["expr"]) for group in groups for rule in group["rules"])


QUERIES = [*dashboard_queries(), *rules()]


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_a_query_asks_for_metrics_and_labels_that_there_are(where: str, query: str) -> None:
    names = NAME.findall(query)
    metrics = [metric_of(name) for name in names]
    assert names or query.startswith("up{")
    assert [name for name, metric in zip(names, metrics, strict=True) if metric is None] == []

    for name, matchers in SELECTOR.findall(query):
        metric = metric_of(name)
        assert metric is not None
        asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers))
        assert asked <= {*metric.labels, *ADDED}
    known = {label for metric in metrics if metric for label in metric.labels} | ADDED
    grouped = {label for group in GROUPING.findall(query) for label in group.split(", ")}
    assert grouped <= known


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {metric_of(name) for _, query in dashboard_queries() for name in NAME.findall(query)}
    assert [name for name, metric in CATALOGUE.items() if metric not in shown] == []


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["action"].endswith(".")


def test_every_rule_has_a_test_that_makes_it_happen() -> None:
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    judged = [one for test in tests for one in test["alert_rule_test"]]
    names = {name for name, _ in rules()}
    assert {one["alertname"] for one in judged if one["exp_alerts"]} == names


@pytest.mark.parametrize("path", sorted(MONITORING.rglob("*.yml")), ids=lambda path: path.name)
def test_a_configuration_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def test_dashboards_have_ids_of_their_own() -> None:
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_laid_out_and_asks_sources_that_are_provisioned(path: Path) -> None:
    sources = MONITORING / "grafana" / "provisioning" / "datasources" / "datasources.yml"
    provisioned = yaml.safe_load(sources.read_text(encoding="utf-8"))["datasources"]
    taken = set[tuple[int, int]]()
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        source = panel["datasource"]
        assert source in [{"type": one["type"], "uid": one["uid"]} for one in provisioned]
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        cells = {(column, row) for column in columns for row in rows}
        assert columns.stop <= GRID_COLUMNS
        assert not cells & taken, panel["title"]
        taken |= cells
        assert [one["refId"] for one in panel["targets"]] == sorted(
            {one["refId"] for one in panel["targets"]}
        )


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_legend_names_labels_that_its_query_keeps(path: Path) -> None:
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
            kept = {one for by in GROUPING.findall(target["expr"]) for one in by.split(", ")}
            assert shown <= kept, panel["title"]


def test_a_rule_s_words_name_labels_that_its_alert_has() -> None:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        kept = {one for by in GROUPING.findall(rule["expr"]) for one in by.split(", ")}
        whole = [metric_of(name) for name in NAME.findall(rule["expr"])]
        # An expression that groups nothing keeps all labels of its metric.
        every = {label for metric in whole if metric for label in metric.labels} | ADDED
        assert named <= (kept or every), rule["alert"]


def test_the_operator_s_table_has_every_metric() -> None:
    operations = (MONITORING.parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
    for metric in CATALOGUE.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |" in operations
