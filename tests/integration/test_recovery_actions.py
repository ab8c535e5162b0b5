"""What the service does by itself about what is broken in it, and how it changes, on a real Ray."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.cluster_environment import FIXED_ENVIRONMENT
from actors.process_guard import RUN_ID_VARIABLE, end_run
from tests.service import environment

ROOT = Path(__file__).parents[2]
RUN_LIMIT_S = 420


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the one run of `recovery_actions` saw, scenario by scenario."""
    data_dir = tmp_path_factory.mktemp("guarded") / "data"
    run_id = uuid.uuid4().hex
    variables = {RUN_ID_VARIABLE: run_id, **FIXED_ENVIRONMENT}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.recovery_actions", str(data_dir)],
            cwd=ROOT,
            env=environment(data_dir, **variables),
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout.splitlines()[-1])
    finally:
        # Those that a failed run leaves.
        end_run(run_id, grace_s=0)


def test_a_leaked_actor_is_ended_and_a_dispatcher_that_hangs_is_restarted(
    said: dict[str, Any],
) -> None:
    assert said["ended"] == {"leaked": True, "hung": True, "recovered": True}
    recovery = said["board"]["recovery"]
    assert recovery["end_leaked_actor_done"] == 1
    assert recovery["restart_dispatcher_done"] == 1
    assert recovery["escalated"] == 0


def test_a_stuck_actor_is_only_told_of_while_recovery_is_off_and_replaced_once_it_is_on(
    said: dict[str, Any],
) -> None:
    stuck = said["stuck"]
    assert stuck["off_and_on"] == [True, True]
    assert stuck["processes"] == 1
    assert (stuck["told"], stuck["detail"]) == (True, "1 stuck")
    assert (stuck["left_alone"], stuck["replaced_until_then"]) == (True, 0)
    assert (stuck["replaced"], stuck["cleared"]) == (True, True)


def test_a_session_whose_actor_would_wait_for_ever_is_ended(said: dict[str, Any]) -> None:
    assert said["expired"] == {"over": True, "status": "completed"}
    recovery = said["board"]["recovery"]
    assert (recovery["end_expired_session_done"], recovery["end_expired_session_failed"]) == (1, 0)


def test_a_live_pool_changes_by_the_settings_under_load_and_loses_no_call(
    said: dict[str, Any],
) -> None:
    pools = said["pools"]
    assert pools["reached"]
    assert pools["lost"] == 0
    assert pools["asked"] == pools["calls"]
    shares = pools["shares"]
    assert shares["alone"][1] == shares["drained"][0] == shares["removed"][0] == 0
    for step, share in (("added", 0.5), ("re-weighted", 0.75), ("back", 0.5)):
        assert shares[step][0] / sum(shares[step]) == pytest.approx(share, abs=0.1)


def test_serves_user_config_changes_a_live_pool_without_another_process_or_a_lost_call(
    said: dict[str, Any],
) -> None:
    pool = said["user_config"]
    assert pool["same_replica"]
    assert pool["lost"] == 0
    assert pool["asked"] == pool["calls"]
    assert pool["shares"]["alone"][1] == 0
    for step in ("drained", "refused"):
        assert pool["shares"][step][0] == 0
        assert pool["shares"][step][1] > 0


def test_the_embedded_diarizer_names_people_where_the_platform_is_silent(
    said: dict[str, Any],
) -> None:
    voices = said["voices"]
    assert voices["words"] > 50
    assert voices["right"] >= 0.8
    assert voices["wrong"] <= 0.02
    assert said["diarizations"]["labelled"] > 0
    assert said["healthy"]["resemblyzer"] == 1


def test_a_diarizer_that_dies_is_seen_and_comes_back_with_labels_of_its_own(
    said: dict[str, Any],
) -> None:
    voices = said["voices"]
    assert voices["statuses"][0] in ("degraded", "healthy")
    assert "degraded" in voices["statuses"]
    assert voices["back"]
    assert voices["labelled"] == [True, False, True]
    assert voices["another_memory"]
    service = said["board"]["services"]["resemblyzer"]
    assert (service["pool"], service["kind"]) == ("diarization", "embedded")
