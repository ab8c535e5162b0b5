"""docs/seed.md says where what was asked for lives, and what drives it: all it names exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from orchestration.config.environment import environment_layer
from orchestration.config.models import Settings
from orchestration.config.seed_layout import PLACES

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
CODE = ROOT / "orchestration"
TABLE = (ROOT / "docs" / "seed.md").read_text()
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", TABLE)))
KINDS = {"unit", "integration", "contracts", "acceptance", "benchmarks"}
MODULE = re.compile(r"[a-z_0-9/]+\.py")
TEST = re.compile(r"(?:(?P<file>[a-z_0-9/]+\.py)::)?(?P<name>test_[a-z_0-9]+)")
SETTING = re.compile(r"(?:server|services|sessions|audio|retention)\.[a-z_.\[\]]+")
FIRST_CELL = re.compile(r"^\| (?P<asked>[^|]*) \| (?P<answer>[^|]*) \|", re.MULTILINE)
VARIABLE = re.compile(r"`([A-Z]+(?:_[A-Z]+)*)`")


def files_called(path: str) -> list[Path]:
    """Where a file of the table is; a name without a folder may be in any folder of tests."""
    if "/" not in path:
        return list(TESTS.rglob(path))
    bases = (TESTS,) if path.split("/")[0] in KINDS else (CODE, ROOT)
    return [base / path for base in bases if (base / path).is_file()]


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def section(title: str) -> str:
    """The text of one section of the table."""
    return TABLE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> Iterator[tuple[str, str]]:
    """What a section's rows ask for, and what answers."""
    for row in FIRST_CELL.finditer(section(title)):
        yield row["asked"], row["answer"]


def is_setting(place: str) -> bool:
    model: object = Settings
    for part in place.replace("[]", "").split("."):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return False
        if part not in model.model_fields:
            return False
        annotation = model.model_fields[part].annotation
        inner = getattr(annotation, "__args__", ())
        model = inner[0] if inner else annotation
    return True


@pytest.mark.parametrize("path", [one for one in NAMED if MODULE.fullmatch(one)])
def test_every_file_that_the_table_names_exists(path: str) -> None:
    assert files_called(path) or (CODE / path).is_file()


@pytest.mark.parametrize("path", [one for one in NAMED if one.split("/")[0] in KINDS])
def test_every_place_of_tests_that_the_table_names_exists(path: str) -> None:
    assert (TESTS / path.partition("::")[0]).exists()


@pytest.mark.parametrize("test", [one for one in NAMED if TEST.fullmatch(one)])
def test_every_test_that_the_table_names_is_defined(test: str) -> None:
    found = TEST.fullmatch(test)
    assert found is not None
    files = files_called(found["file"]) if found["file"] else list(TESTS.rglob("test_*.py"))
    assert any(
        found["name"] in path.read_text() and found["name"] in functions_of(path) for path in files
    )


@pytest.mark.parametrize("place", [one for one in NAMED if SETTING.fullmatch(one)])
def test_every_setting_that_the_table_names_is_one(place: str) -> None:
    asked = {f"`{key}`" for key in PLACES}
    assert f"`{place}`" in asked or is_setting(place)


def test_every_variable_of_the_table_is_read_unless_it_says_not() -> None:
    for asked, answer in rows("Environment variables"):
        for name in VARIABLE.findall(asked):
            is_read = bool(environment_layer({name: "1234567890abcdef"}))
            assert is_read != ("no effect" in answer), name


def test_every_key_of_the_first_layout_is_in_the_table() -> None:
    text = section("Configuration keys")
    for key in PLACES:
        parts = key.split(".")
        assert f"`{key}`" in text or f"`.{parts[-1]}`" in text, key


def test_every_key_that_is_ignored_says_so() -> None:
    for asked, answer in rows("Configuration keys"):
        for key, place in PLACES.items():
            if place is None and f"`{key}`" in asked:
                assert "no effect" in answer or "not settings" in answer, key
