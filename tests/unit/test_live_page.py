"""The pages keep what their content policy and their readers' safety rest on."""

import re
from pathlib import Path

import pytest

import orchestration

WEB = Path(orchestration.__file__).parent / "web"
PAGES = {page.name: page.read_text("utf-8") for page in sorted(WEB.glob("*.html"))}
PAGE = PAGES["index.html"]
SCRIPTS = sorted(WEB.glob("*.js"))


def scripts_of(page: str) -> set[Path]:
    """The modules that a page loads, those that they import, and those that they add."""
    waiting = re.findall(r'<script[^>]*\ssrc="/static/([^"]+)"', PAGES[page])
    found: set[Path] = set()
    while waiting:
        path = WEB / waiting.pop()
        if path not in found:
            found.add(path)
            source = path.read_text("utf-8")
            waiting += re.findall(r'from "\./([^"]+)"', source)
            waiting += re.findall(r'addModule\("/static/([^"]+)"\)', source)
    return found


def test_every_script_is_of_a_page() -> None:
    assert set().union(*map(scripts_of, PAGES)) == set(SCRIPTS)


@pytest.mark.parametrize(
    ("page", "script"), [("index.html", "app.js"), ("try.html", "try.js")], ids=lambda one: str(one)
)
def test_everything_the_page_names_is_there(page: str, script: str) -> None:
    named = re.findall(r'(?:href|src)="/static/([^"]+)"', PAGES[page])
    assert {script, "style.css", "icon.svg"} <= set(named)
    assert all((WEB / name).is_file() for name in named)


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    for page in PAGES.values():
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for path in (*WEB.glob("*.html"), *WEB.glob("*.css"), *SCRIPTS):
        assert not re.search(r"(https?:)?//[\w-]+\.\w", path.read_text("utf-8")), path.name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_modules_import_their_neighbours_and_never_write_markup(path: Path) -> None:
    source = path.read_text("utf-8")
    imported = re.findall(r'from "([^"]+)"', source)
    assert all(name.startswith("./") and (WEB / name).is_file() for name in imported)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", source)


@pytest.mark.parametrize("page", PAGES)
def test_every_element_that_a_script_asks_for_is_in_the_page(page: str) -> None:
    ids = set(re.findall(r'\sid="([^"]+)"', PAGES[page]))
    for path in scripts_of(page):
        asked = re.findall(r'(?:getElementById|byId)\("([^"]+)"\)', path.read_text("utf-8"))
        assert set(asked) <= ids, path.name


@pytest.mark.parametrize("page", PAGES)
def test_lines_that_are_built_anew_are_in_no_live_region(page: str) -> None:
    regions = re.findall(
        r'<(\w+)([^>]*)\s(?:role="(?:log|status|alert)"|aria-live)[^>]*>', PAGES[page]
    )
    assert any('id="announced"' in rest for _, rest in regions)
    for tag, rest in regions:
        begin = PAGES[page].index(f"<{tag}{rest}")
        inside = PAGES[page][begin : PAGES[page].index(f"</{tag}>", begin)]
        assert 'id="lines"' not in inside
        assert 'id="heard"' not in inside


def test_a_speaker_is_renamed_by_a_button_and_a_labelled_field_in_a_dialog() -> None:
    (dialog,) = re.findall(r"<dialog.*?</dialog>", PAGE, re.DOTALL)
    (field,) = re.findall(r'<input id="([^"]+)"', dialog)
    assert f'<label for="{field}">' in dialog
    assert re.search(r'aria-labelledby="([^"]+)".*\sid="\1"', dialog, re.DOTALL)
    assert 'role="alert"' in dialog
    view = (WEB / "transcript_view.js").read_text("utf-8")
    assert 'element("button", "speaker"' in view
    assert "/speakers/rename" in (WEB / "rename.js").read_text("utf-8")
