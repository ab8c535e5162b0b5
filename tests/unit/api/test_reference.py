"""The OpenAPI document says all that a caller needs.

A new route needs an entry under its `METHOD /path` in the module of `orchestration/api/reference`
that its kin are in: a summary, an example of its JSON, and the errors that it raises itself.
"""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest

from orchestration.api.metrics import own_queues
from orchestration.api.reference.document import OPEN_OPERATIONS, OPERATIONS
from orchestration.api.reference.health import ALERT, ALERTING, OWN_QUEUES, SERVICES, SYSTEM
from orchestration.api.reference.stored_data import ERASURE
from orchestration.health import alerts
from orchestration.health.system import system_figures
from orchestration.services.alert_desk import AlertDesk
from tests.doubles.api_server import api_server

Operation = dict[str, Any]


async def served_document() -> dict[str, Any]:
    with TemporaryDirectory() as data_dir:
        async with api_server(Path(data_dir)) as server:
            return (await server.json("GET", "/openapi.json"))[1]


DOCUMENT = asyncio.run(served_document())
NAMED = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
every_operation = pytest.mark.parametrize("name", NAMED)


def media_of(operation: Operation, problems: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Status, media type and description of each answer."""
    for status, answer in operation["responses"].items():
        for media_type, media in answer.get("content", {}).items():
            is_openais = "openai" in operation.get("tags", ()) and status[0] in "45"
            if (is_openais or media_type == "application/problem+json") == problems:
                yield status, media_type, media


def assert_valid(example: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(example)


def assert_every_field_has_an_example(name: str, schema: dict[str, Any]) -> None:
    for field, one in schema["properties"].items():
        if one.get("format") != "binary":
            example = one.get("example", one.get("default"))
            assert example is not None, f"{name} has no example of {field}"
            assert_valid(example, one)


def test_no_entry_is_of_a_route_that_is_gone() -> None:
    assert OPERATIONS.keys() - NAMED.keys() == set()


@every_operation
def test_every_operation_has_an_entry_a_tag_and_words(name: str) -> None:
    operation = NAMED[name]
    assert name in OPERATIONS, f"{name} has no entry in orchestration/api/reference"
    assert operation["summary"] == OPERATIONS[name].summary
    assert operation["tags"]
    assert operation["description"]


@every_operation
def test_every_answer_has_an_example_of_its_type(name: str) -> None:
    operation = NAMED[name]
    for status, media_type, media in media_of(operation, problems=False):
        assert "example" in media, f"{name} has no example of its {status} {media_type}"
        if media_type == "application/json":
            assert media["schema"], f"{name} has an answer without a type"
            assert_valid(media["example"], media["schema"])


@every_operation
def test_every_request_has_an_example_of_its_type(name: str) -> None:
    operation = NAMED[name]
    for parameter in operation.get("parameters", []):
        assert parameter["schema"]
        if parameter.get("required"):
            assert_valid(parameter["example"], parameter["schema"])
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        schema = media["schema"]
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if media_type == "multipart/form-data":
            assert_every_field_has_an_example(name, schema)
            continue
        example = media.get("example", schema.get("example"))
        assert example is not None, f"{name} has no example of its body"
        assert_valid(example, schema)


@every_operation
def test_every_operation_names_its_problems_with_examples(name: str) -> None:
    operation = NAMED[name]
    statuses = set()
    for status, media_type, media in media_of(operation, problems=True):
        statuses.add(status)
        if media_type == "application/json":
            assert_valid(media["example"], media["schema"])
            continue
        assert media["examples"]
        for code, example in media["examples"].items():
            assert example["value"]["code"] == code
            assert example["value"]["status"] == int(status)
            assert_valid(example["value"], media["schema"])
    assert "500" in statuses
    if name not in OPEN_OPERATIONS:
        assert {"401", "403"} <= statuses
    if operation.get("parameters") or "requestBody" in operation:
        assert "422" in statuses


def test_every_operation_but_health_wants_the_key() -> None:
    assert DOCUMENT["security"] == [{"key": []}]
    assert {name for name, one in NAMED.items() if "security" in one} == OPEN_OPERATIONS


def test_examples_have_names_that_there_are(tmp_path: Path) -> None:
    no_pool: Any = None
    rows: Any = ERASURE["rows"]
    parts: Any = SERVICES["services"]
    schema = (Path(__file__).parents[3] / "db" / "schema.sql").read_text()
    tables = set(re.findall(r"^CREATE TABLE bot_sessions\.(\w+)", schema, re.MULTILINE))
    assert rows.keys() <= tables
    rule = next(one for one in alerts.RULES if one.code == ALERT["code"])
    assert ALERT["level"] == rule.level
    assert ALERT["message"] == rule.message.format(subject=ALERT["subject"], value=ALERT["value"])
    assert ALERT["subject"] in parts
    assert SYSTEM.keys() == {one.name for one in system_figures(tmp_path)}
    assert ALERTING.keys() == AlertDesk(no_pool).figures().keys()
    assert OWN_QUEUES.keys() == own_queues().keys()
