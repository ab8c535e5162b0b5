"""The handbook names what there is: links, files, routes, settings and their defaults, metrics,
alerts, limits and errors."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from orchestration import errors
from orchestration.config.environment import environment_layer
from orchestration.config.models import Settings
from orchestration.config.seed_layout import PLACES
from orchestration.errors import OrchestrationError
from orchestration.health.alerts import RULES
from orchestration.metrics.catalogue import CATALOGUE
from orchestration.session.values import SessionValues
from tests.unit.api.test_reference import NAMED
from tests.unit.test_seed_table import is_setting

ROOT = Path(__file__).parents[2]
PAGES = {
    path.name: path.read_text(encoding="utf-8")
    for path in (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
}
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("orchestration", "actors", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
)
WORDS_OF_CODE = set(re.findall(r"\w+", CODE))
EVERY_PAGE = pytest.mark.parametrize("page", PAGES)

OTHER_PATHS = {"/", "/try", "/docs", "/openapi.json", "/socket.io", "/ws/ingest/{id}"} | {
    "/ws/live/{id}"
}
"""Routes that are not in the OpenAPI document."""
GROUPS = {"/v1", "/ws/ingest", "/ws/live", "/api/audio", "/api/whisper", "/api/translation"}
"""Beginnings of paths, where a page means all that is below."""
FILES_ELSEWHERE = {"alerts.yml", "/openapi.json"}
"""Of other programs, and what looks like one."""
NOT_READ = {"SECRET_KEY", "SERVICE_DISCOVERY_ENABLED"}
"""Variables that docs/seed.md has to say nothing becomes of."""


def quoted(page: str) -> list[str]:
    """What a page says between backticks."""
    return sorted(set(re.findall(r"`([^`\n]+)`", PAGES[page])))


def rows(page: str) -> Iterator[list[str]]:
    """The cells of a page's tables."""
    for row in re.findall(r"^\|(.+)\|$", PAGES[page], re.MULTILINE):
        yield [cell.strip() for cell in row.split(" | ")]


@EVERY_PAGE
def test_every_link_leads_somewhere(page: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / "docs"
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", PAGES[page]):
        if target.startswith("http"):
            continue
        assert (folder / target).exists(), target
        if anchor and (not target or target.endswith(".md")):
            text = PAGES[Path(target).name if target else page]
            heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            assert anchor[1:] in {
                re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads
            }, anchor


@EVERY_PAGE
def test_every_setting_and_metric_that_a_page_names_is_one(page: str) -> None:
    for name in quoted(page):
        first = re.match(r"[a-z_]+(?=[.\[])", name)
        is_place = re.fullmatch(r"[a-z_]+(\[\])?(\.[a-z_]+(\[\])?)+", name)
        if first and is_place and first[0] in Settings.model_fields:
            assert is_setting(name) or name in PLACES or name in FILES_ELSEWHERE, name
        if re.fullmatch(r"orchestration_[a-z_]+", name):
            assert name in CATALOGUE or name in WORDS_OF_CODE, name


@EVERY_PAGE
def test_every_constant_and_variable_that_a_page_names_is_known(page: str) -> None:
    for name in quoted(page):
        if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", name) and name not in NOT_READ:
            assert name in WORDS_OF_CODE or environment_layer({name: "1"}), name


@EVERY_PAGE
def test_every_route_that_a_page_names_answers_so(page: str) -> None:
    known = {name.split()[1] for name in NAMED} | OTHER_PATHS
    pattern = r"`(?:(GET|POST|PUT|PATCH|DELETE) )?(/(?:api|v1|ws|socket\.io)[^`\s?]*)"
    for method, path in re.findall(pattern, PAGES[page]):
        bare = path.rstrip("/")
        if bare in GROUPS or re.search(r"\.py\b|[*…]", path):
            continue
        found = [one for one in known if _fits(bare, one)]
        assert found, path
        if method:
            assert any(f"{method} {one}" in NAMED for one in found), f"{method} {path}"


def _fits(path: str, route: str) -> bool:
    parts = re.split(r"(\{[a-z_]+\})", route)
    wanted = "".join(
        "/?.*" if part == "{path}" else "[^/]+" if part.startswith("{") else re.escape(part)
        for part in parts
    )
    return re.fullmatch(wanted, path) is not None


@EVERY_PAGE
def test_every_status_goes_with_the_code_that_a_page_says(page: str) -> None:
    statuses = {
        one.code: one.http_status
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, OrchestrationError)
    }
    for status, code in re.findall(r"\b([45]\d\d) `([a-z]+(?:_[a-z]+)+)`", PAGES[page]):
        assert statuses.get(code) == int(status), f"{status} {code}"


def test_every_default_is_the_one_that_the_handbook_says() -> None:
    settings, checked = Settings(data_dir=Path("data")), 0
    for cells in rows("operations.md"):
        place = re.fullmatch(r"`([a-z_]+(?:\.[a-z_]+)+)`", cells[0])
        if not place or len(cells) < 3 or not is_setting(place[1]):
            continue
        value: object = settings
        for part in place[1].split("."):
            value = getattr(value, part)
        said = cells[1].strip("`")
        if value in (None, (), {}):
            assert said.startswith("none"), place[1]
        else:
            expected = str(value).lower() if isinstance(value, bool) else f"{value}"
            assert said == expected, place[1]
        checked += 1
    assert checked > 40


def test_every_value_of_a_session_is_the_one_that_the_handbook_says() -> None:
    known, checked = {one.name for one in fields(SessionValues)}, 0
    for cells in rows("operations.md"):
        names = re.findall(r"`([a-z_]+)`", cells[0])
        if names and len(cells) >= 2 and set(names) <= known:
            told = cells[1].split(", ")
            assert told == [str(getattr(SessionValues(), name)) for name in names]
            checked += 1
    assert checked >= 8


def test_every_alert_is_in_the_handbook() -> None:
    told = {
        code for cells in rows("operations.md") for code in re.findall(r"`([a-z_]+)`", cells[0])
    }
    assert {rule.code for rule in RULES} <= told
