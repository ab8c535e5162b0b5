"""What a node that `ray start` starts gets from `python -m actors.node_environment`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.haproxy_launcher import BINARY_VARIABLE, FRONTEND_VARIABLE
from tests.service import environment

ROOT = Path(__file__).parents[2]
KEY = "a key of sixteen characters or more"
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
SHOW = f"""
node=$('{sys.executable}' -m actors.node_environment) && eval "$node" &&
exec '{sys.executable}' -c '{PRINT_ENVIRONMENT}'
"""


def show(data_dir: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The environment of a command that follows in the shell."""
    return subprocess.run(
        ["sh", "-c", SHOW],
        cwd=ROOT,
        env=environment(data_dir, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    data_dir = tmp_path_factory.mktemp("node") / "it's data"
    shown = show(data_dir, ORCHESTRATION_API_KEY=KEY, HOST="0.0.0.0", PORT="3100")
    assert shown.returncode == 0, shown.stderr
    variables: dict[str, str] = json.loads(shown.stdout)
    yield variables
    Path(variables["RAY_SERVE_HAPROXY_BINARY_PATH"]).parent.unlink()


def test_haproxy_is_started_by_the_launcher_that_closes_its_ports(node: dict[str, str]) -> None:
    launcher = Path(node["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert "haproxy_launcher.py" in launcher.read_text()
    assert os.access(launcher, os.X_OK)
    assert os.access(node[BINARY_VARIABLE], os.X_OK)
    assert node[FRONTEND_VARIABLE] == "0.0.0.0:3100"
    assert node["RAY_SERVE_ENABLE_HA_PROXY"] == "1"


def test_nodes_use_their_real_addresses_and_the_cluster_s_token(node: dict[str, str]) -> None:
    assert node["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "1"
    assert node["RAY_AUTH_MODE"] == "token"
    assert "RAY_AUTH_TOKEN_PATH" not in node


def test_a_node_without_a_key_is_refused_in_one_sentence(tmp_path: Path) -> None:
    refused = show(tmp_path / "data")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert "ORCHESTRATION_API_KEY" in refused.stderr
