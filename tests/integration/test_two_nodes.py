"""The service on more than one node."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.process_guard import RUN_ID_VARIABLE, end_run, processes_of_run
from tests.service import environment

ROOT = Path(__file__).parents[2]
END_LIMIT_S = 60
RUN_LIMIT_S = 240


@pytest.fixture
def run_id() -> Iterator[str]:
    """Marks every process of a run; those that a failed one leaves are ended."""
    chosen = uuid.uuid4().hex
    yield chosen
    end_run(chosen, grace_s=0)


def wait_until_gone(run_id: str) -> None:
    """Until no process of the run is left; one that ends is given the time to."""
    gives_up_at = time.monotonic() + END_LIMIT_S
    while left := processes_of_run(run_id):
        assert time.monotonic() < gives_up_at, left
        time.sleep(0.2)


def test_a_killed_node_costs_its_sessions_no_word(run_id: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.two_nodes", str(tmp_path / "data")],
        cwd=ROOT,
        env=environment(tmp_path / "data", **{RUN_ID_VARIABLE: run_id}),
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])

    assert len(said["nodes"]) == 4
    assert len(set(said["nodes"].values())) == 2
    assert said["nodes"][said["dying"]] != said["head"]
    assert said["now_on"] == said["head"]
    assert said["faults"] == {}
    assert all(said["words"].values())
    wait_until_gone(run_id)
