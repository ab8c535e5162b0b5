"""What the service does by itself about what is broken in it, on a real Ray."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.process_guard import RUN_ID_VARIABLE, end_run
from tests.service import environment

ROOT = Path(__file__).parents[2]
RUN_LIMIT_S = 300


@pytest.fixture
def run_id() -> Iterator[str]:
    """Marks every process of a run; those that a failed one leaves are ended."""
    chosen = uuid.uuid4().hex
    yield chosen
    end_run(chosen, grace_s=0)


def test_a_leaked_actor_is_ended_and_a_dispatcher_that_hangs_is_restarted(
    run_id: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.recovery_actions", str(tmp_path / "data")],
        cwd=ROOT,
        env=environment(tmp_path / "data", **{RUN_ID_VARIABLE: run_id}),
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])

    assert said["ended"] == {"leaked": True, "hung": True}
    assert said["recovered"]
    recovery = said["board"]["recovery"]
    assert recovery["end_leaked_actor_done"] == 1
    assert recovery["restart_dispatcher_done"] == 1
    assert recovery["escalated"] == 0
