"""What carries and shows the logs, held against the lines that the service really writes.

Loki and Alloy are in no package registry that the tests may use. So Alloy's file is read by a
parser of its syntax, and judged by what its documentation says of the components in it.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
import yaml

from orchestration.logs import configure_logs
from tests.alloy import Block, Call, read_alloy, references

MONITORING = Path(__file__).parents[3] / "configs" / "monitoring"
EXPORTS = {
    "local.file_match": {"targets"},
    "loki.source.file": set[str](),
    "loki.process": {"receiver"},
    "loki.write": {"receiver"},
}
ARGUMENTS = {
    "local.file_match": {"path_targets"},
    "loki.source.file": {"targets", "forward_to"},
    "loki.process": {"forward_to"},
    "loki.write": set[str](),
    "stage.json": {"expressions"},
    "stage.timestamp": {"source", "format"},
    "stage.labels": {"values"},
    "stage.label_drop": {"values"},
    "endpoint": {"url"},
}
"""Of each component and stage of ours, what Alloy requires of it; nothing more is given."""

BLOCKS = {
    "loki.process": {"stage.json", "stage.timestamp", "stage.labels", "stage.label_drop"},
    "loki.write": {"endpoint"},
}
FROM_THE_SOURCE = {"filename"}
"""The label that `loki.source.file` gives each line."""


def alloy() -> dict[str, Block]:
    blocks = read_alloy((MONITORING / "logs.alloy").read_text(encoding="utf-8"))
    return {one.name: one for one in blocks}


def stages() -> dict[str, dict[str, Any]]:
    return {one.kind: one.attributes for one in alloy()["loki.process.service"].blocks}


def labels() -> set[str]:
    """What a line has in Loki."""
    (target,) = alloy()["local.file_match.service"].attributes["path_targets"]
    given = {name for name in target if not name.startswith("__")} | FROM_THE_SOURCE
    kept = given | set(stages()["stage.labels"]["values"])
    return kept - set(stages()["stage.label_drop"]["values"])


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """One that the service writes."""
    configure_logs("INFO")
    structlog.get_logger().bind(session_id="weekly").warning("chunk_heard", stream=0, chunk=3)
    structlog.reset_defaults()
    written: dict[str, Any] = json.loads(capsys.readouterr().err)
    return written


def test_each_component_has_what_it_requires_and_nothing_unknown() -> None:
    for block in alloy().values():
        assert set(block.attributes) == ARGUMENTS[block.kind]
        assert block.label
        for inner in block.blocks:
            assert inner.kind in BLOCKS[block.kind]
            assert set(inner.attributes) == ARGUMENTS[inner.kind]


def test_components_refer_to_what_others_export_and_lines_arrive() -> None:
    blocks = alloy()
    reached = set[str]()
    for block in blocks.values():
        for reference in references(block.attributes):
            component, _, export = reference.rpartition(".")
            assert export in EXPORTS[blocks[component].kind], reference
            reached.add(component)
    ends = {name for name in blocks if name not in reached}
    assert ends == {"loki.source.file.service"}, "all others are given lines or files by somebody"


def test_its_fields_are_in_every_line_and_labels_come_of_them(line: dict[str, Any]) -> None:
    extracted = stages()["stage.json"]["expressions"]
    assert set(extracted.values()) <= line.keys()
    assert stages()["stage.timestamp"]["source"] in extracted
    for label, source in stages()["stage.labels"]["values"].items():
        assert (source or label) in extracted
    assert {"session_id", "stream", "chunk"}.isdisjoint(labels())


def test_the_time_of_a_line_is_of_the_format_that_it_is_read_by(line: dict[str, Any]) -> None:
    assert stages()["stage.timestamp"]["format"] == "RFC3339Nano"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", line["timestamp"])
    assert datetime.fromisoformat(line["timestamp"])


def test_dashboards_ask_loki_for_labels_and_values_that_lines_have(line: dict[str, Any]) -> None:
    asked = 0
    for path in (MONITORING / "grafana" / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            if panel["datasource"]["type"] == "loki":
                for target in panel["targets"]:
                    (matchers,) = re.findall(r"^\{([^}]*)\}", target["expr"])
                    pairs = dict(re.findall(r'(\w+)=~?"([^"]*)"', matchers))
                    assert set(pairs) <= labels()
                    assert line["level"] in pairs["level"].split("|")
                    asked += 1
    assert asked


def test_everybody_is_looked_for_where_they_listen() -> None:
    def read(name: str) -> Any:
        return yaml.safe_load((MONITORING / name).read_text(encoding="utf-8"))

    loki = read("loki.yml")
    server = loki["server"]
    address = f"{server['http_listen_address']}:{server['http_listen_port']}"
    (endpoint,) = alloy()["loki.write.local"].blocks
    push = urlsplit(endpoint.attributes["url"])
    assert (push.netloc, push.path) == (address, "/loki/api/v1/push")
    sources = read("grafana/provisioning/datasources/datasources.yml")["datasources"]
    assert {one["uid"]: one["url"] for one in sources} == {
        "loki": f"http://{address}",
        "prometheus": "http://127.0.0.1:9090",
    }
    # Loki deletes nothing unless its compactor does, which needs a place for the orders.
    assert loki["compactor"]["retention_enabled"]
    assert loki["compactor"]["delete_request_store"]
    assert int(loki["limits_config"]["retention_period"].removesuffix("h")) % 24 == 0
    (schema,) = loki["schema_config"]["configs"]
    assert (schema["store"], schema["schema"]) == ("tsdb", "v13")
    assert schema["index"]["period"] == "24h"


def test_it_follows_the_files_of_this_service_alone() -> None:
    (target,) = alloy()["local.file_match.service"].attributes["path_targets"]
    path = target["__path__"]
    assert isinstance(path, Call)
    assert path.function == "format"
    assert path.arguments[1] == Call("sys.env", ("ORCHESTRATION_DATA_DIR",))


@pytest.mark.parametrize(
    "broken",
    [
        'a "b" {',
        "a = 1",
        'a "b" { c = }',
        'a "b" { c = [1 2] }',
        'a "b" { c = { d = 1 e = 2 } }',
        'a "b" { c = 1 d = 2 }',
        'a "b" { c = 1\n c = 2 }',
        "a { ; }",
    ],
)
def test_what_alloy_would_not_read_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_alloy(broken)
