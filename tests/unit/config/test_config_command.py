"""`orchestration config`, as a person uses it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestration.cli import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORCHESTRATION_CONFIG", "ORCHESTRATION_API_KEY", "HOST", "PORT", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORCHESTRATION_DATA_DIR", "/data")


def config(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("config", *arguments))


def written(folder: Path, text: str) -> str:
    file = folder / "o.yaml"
    file.write_text(text, "utf-8")
    return str(file)


def test_a_good_file_is_told_with_what_it_changes(tmp_path: Path) -> None:
    result = config("check", written(tmp_path, "sessions: {chunking: {chunk_ms: 5000}}"))
    assert result.exit_code == 0
    assert "changes 1 setting." in result.output
    assert "sessions.chunking.chunk_ms: 4000 → 5000" in result.output


def test_the_documented_defaults_change_nothing() -> None:
    assert "changes 0 settings." in config("check", str(ROOT / "configs/default.yaml")).output


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    result = config("check", written(tmp_path, "server: {port: x}\nnonsense: 1\nlog_level: LOUD"))
    assert result.exit_code == 1
    assert all(place in result.output for place in ("server.port", "nonsense", "log_level"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("database: {pool_min: 9}", "pool_min must not be above pool_max"),
        ("ingest: {max_frame_bytes: 3000000}", "max_frame_bytes must not be above"),
        ("sessions: {chunking: {guard_ms: 1500}}", "overlap_ms must exceed guard_ms"),
        ("frontend: {host: 0.0.0.0}", "ORCHESTRATION_API_KEY"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    result = config("check", written(tmp_path, text))
    assert result.exit_code == 1
    assert sentence in result.output


def test_what_the_environment_overrides_and_what_has_no_effect_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "5000")
    file = written(tmp_path, "server: {port: 4000}\norchestration: {version: 2.0.0}")
    output = config("check", file).output
    assert "server.port: the environment has it too, and wins" in output
    assert "orchestration.version: has no effect" in output


def test_show_prints_yaml_that_can_be_used_again_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "sessions: {chunking: {chunk_ms: 5000}}")
    shown = config("show", "--config", file)
    assert shown.exit_code == 0
    assert "chunk_ms: 5000" in shown.output
    again = config("check", written(tmp_path, shown.output))
    assert "changes 1 setting." in again.output
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@db/x")
    assert "hunter2" not in config("show").output


def test_a_file_that_makes_the_environment_safe_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    result = config("check", written(tmp_path, f"server: {{api_key_sha256: {'a' * 64}}}"))
    assert (result.exit_code, result.exception) == (0, None)
    assert "server.api_key_sha256: null → " in result.output


def test_a_file_that_names_the_folder_is_checked_for_a_user_without_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("ORCHESTRATION_DATA_DIR")
    monkeypatch.setattr(Path, "home", nowhere)
    result = config("check", written(tmp_path, "data_dir: /data\nserver: {port: 4000}"))
    assert (result.exit_code, result.exception) == (0, None)
    assert "server.port: 3000 → 4000" in result.output


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["a=2026-01-01"], "The value of a cannot be read"),
        (["a=2026-99-99"], "The value of a cannot be read"),
        (["a=" + "[" * 3000 + "]" * 3000], "nested too deeply"),
        (["a=&b [*b]"], "nested too deeply"),
        (["a.b=1", "a=2"], "a is given more than once"),
        (["a=1", "a=1"], "a is given more than once"),
    ],
)
def test_values_that_cannot_be_sent_are_one_sentence(assignments: list[str], sentence: str) -> None:
    result = config("set", *assignments, "--url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert sentence in result.output


def test_a_file_that_is_no_text_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("a: é".encode("latin-1"))
    result = config("import", str(tmp_path / "latin.yaml"), "--url", "http://127.0.0.1:1")
    assert "latin.yaml is not text in UTF-8." in result.output
