"""The bound of the embedded server's log."""

from pathlib import Path

import pytest

from orchestration.storage import bounded_log
from orchestration.storage.bounded_log import LAST_LINES, BoundedLog


def test_the_log_never_takes_more_than_two_files_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_log, "MAX_LOG_BYTES", 1000)
    with BoundedLog(tmp_path / "log") as log:
        for number in range(500):
            log.write(f"line {number}")
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["log", "log.1"]
    assert all(path.stat().st_size <= 1000 for path in files)
    assert files[0].read_text().endswith("line 499\n")


def test_the_last_lines_are_those_of_this_run(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log")
    with log:
        log.write("an earlier run")
    with log:
        for number in range(LAST_LINES + 1):
            log.write(f"line {number}")
    assert log.last_lines() == [f"line {number}" for number in range(1, LAST_LINES + 1)]
    assert "an earlier run" in log.path.read_text()
