"""What a node that `ray start` starts gets from `python -m actors.node_environment`."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn

from actors.haproxy_launcher import BINARY_VARIABLE, FRONTEND_VARIABLE
from tests.service import environment

ROOT = Path(__file__).parents[2]
KEY = "a key of sixteen characters or more"
OF_A_CLUSTER = {
    "ORCHESTRATION_API_KEY": KEY,
    "RAY_AUTH_TOKEN": "0" * 64,
    "DATABASE_URL": "postgresql://orchestration@10.0.0.1/orchestration",
}
LIMIT_S = 30
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
SHOW = f"""
node=$('{sys.executable}' -m actors.node_environment $NODE) && eval "$node" &&
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
    shown = show(data_dir, **OF_A_CLUSTER, HOST="0.0.0.0", PORT="3100")
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


async def test_replicas_believe_the_head_s_haproxy_who_a_client_is(
    node: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        clients.append(scope["client"][0])

    monkeypatch.setenv("FORWARDED_ALLOW_IPS", node["FORWARDED_ALLOW_IPS"])
    server = uvicorn.Config(application, log_config=None, lifespan="off")
    server.load()
    scope = {
        "type": "http",
        "scheme": "http",
        "client": ("10.0.0.10", 41_000),
        "headers": [(b"x-forwarded-for", b"203.0.113.7")],
    }
    await cast(Any, server.loaded_app)(scope, None, None)
    assert clients == ["203.0.113.7"]


@pytest.mark.parametrize("missing", OF_A_CLUSTER)
def test_a_node_without_what_a_cluster_needs_is_refused_in_one_sentence(
    missing: str, tmp_path: Path
) -> None:
    refused = show(tmp_path / "data", **{**OF_A_CLUSTER, missing: ""})
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert missing in refused.stderr


def test_a_database_that_each_node_would_look_for_on_itself_is_refused(tmp_path: Path) -> None:
    url = "postgresql://somebody:secret@127.0.0.1:5432/orchestration"
    refused = show(tmp_path / "data", **{**OF_A_CLUSTER, "DATABASE_URL": url})
    assert refused.returncode == 1
    assert refused.stderr.startswith("DATABASE_URL names 127.0.0.1")
    assert "secret" not in refused.stderr


def test_a_head_whose_port_is_taken_is_refused_and_another_node_does_not_mind(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        variables = {**OF_A_CLUSTER, "PORT": str(taken.getsockname()[1])}
        refused = show(tmp_path / "data", **variables, NODE="head")
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"Port {variables['PORT']} on 127.0.0.1 is taken")
        forget(show(tmp_path / "data", **variables))


def forget(shown: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """The environment that was shown, of which no link is left behind."""
    assert shown.returncode == 0, shown.stderr
    variables: dict[str, str] = json.loads(shown.stdout)
    Path(variables["RAY_SERVE_HAPROXY_BINARY_PATH"]).parent.unlink()
    return variables


def started(data_dir: Path) -> dict[str, str]:
    """What a node's processes have in their environment."""
    return forget(show(data_dir, **OF_A_CLUSTER))


def test_what_ray_stop_has_left_ends_when_the_node_starts_again(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], env=started(tmp_path)) as left:
        started(tmp_path)
        assert left.wait(LIMIT_S) == -signal.SIGKILL


def test_a_node_on_which_ray_runs_is_left_alone(tmp_path: Path) -> None:
    raylet = tmp_path / "raylet"
    sleep = shutil.which("sleep")
    assert sleep is not None
    shutil.copy(sleep, raylet)
    with subprocess.Popen([raylet, "600"], env=started(tmp_path)) as running:
        refused = show(tmp_path, **OF_A_CLUSTER)
        assert refused.stderr == "Ray runs on this node already: end it by `ray stop` first.\n"
        assert running.poll() is None
        running.kill()


def test_nodes_may_share_a_data_directory(tmp_path: Path) -> None:
    started(tmp_path)
    (own,) = (entry for entry in tmp_path.iterdir() if entry.name.startswith("run"))
    assert own.name == f"run-{socket.gethostname()}"
