"""The service of one machine looks after its embedded database."""

import threading
import warnings
from pathlib import Path
from typing import Any, cast

import pytest

from orchestration.config.models import Settings
from orchestration.errors import DatabaseUnavailable

with warnings.catch_warnings():
    # Ray Serve uses Pydantic in ways that it says are deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from actors import local_service
    from actors.local_service import LocalService


class DeadDatabase:
    """Its restarts fail as they are told to, then it runs."""

    def __init__(self, *faults: Exception) -> None:
        self._faults = list(faults)
        self.runs = threading.Event()

    @property
    def is_running(self) -> bool:
        return self.runs.is_set()

    def restart(self) -> None:
        if self._faults:
            raise self._faults.pop(0)
        self.runs.set()

    def stop(self) -> None:
        self.runs.clear()


def test_a_database_whose_restart_fails_is_started_again_whatever_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_service, "DATABASE_CHECK_S", 0.001)
    database = DeadDatabase(
        OSError("read-only"), RuntimeError("no thread"), DatabaseUnavailable("")
    )
    service = LocalService(Settings(data_dir=tmp_path), cast(Any, None))
    service._database = cast(Any, database)
    service._watch_database()
    try:
        assert database.runs.wait(30)
    finally:
        service.stop()
