"""Dashboards as Grafana's own schema reads them, by Grafana's Foundation SDK."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

DASHBOARDS = sorted(
    (Path(__file__).parents[3] / "configs" / "monitoring" / "grafana" / "dashboards").glob("*.json")
)


@pytest.fixture(scope="module", autouse=True)
def plugins() -> None:
    """The schemas of panels and queries are plugins, in the SDK as in Grafana."""
    register_default_plugins()


def unknown(given: Any, understood: Any, place: str = "") -> Iterator[str]:
    """Places of what the schema has no field for, or reads otherwise. It fills in defaults."""
    if isinstance(given, dict):
        for name, value in given.items():
            if isinstance(understood, dict) and name in understood:
                yield from unknown(value, understood[name], f"{place}/{name}")
            elif value:
                yield f"{place}/{name}"
    elif isinstance(given, list):
        for index, (one, other) in enumerate(zip(given, understood, strict=True)):
            yield from unknown(one, other, f"{place}/{index}")
    elif given != understood:
        yield place


def read_by_grafana(board: Any) -> list[str]:
    return list(unknown(board, json.loads(JSONEncoder().encode(Dashboard.from_json(board)))))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafana_knows_every_field_of_a_dashboard(path: Path) -> None:
    assert read_by_grafana(json.loads(path.read_text(encoding="utf-8"))) == []


def test_a_field_that_grafana_does_not_know_is_found() -> None:
    board = json.loads(DASHBOARDS[0].read_text(encoding="utf-8"))
    panel = board["panels"][6]
    panel["fieldConfig"]["defaults"]["unitt"] = "s"
    panel["targets"][0]["exprr"] = "up"
    assert read_by_grafana(board) == [
        "/panels/6/targets/0/exprr",
        "/panels/6/fieldConfig/defaults/unitt",
    ]
