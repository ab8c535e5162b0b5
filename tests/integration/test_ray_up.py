"""`ray up cluster.yaml` and `ray down`, Ray's own, on a machine that a folder stands for.

ssh and rsync are scripts that run and copy there. Its `ray` and `serve` write down how they were
called, so that nothing of Ray is started, and nobody else's is stopped.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.service import environment, free_port

ROOT = Path(__file__).parents[2]
SSH = """#!/bin/bash
while [[ $1 == -* ]]; do case $1 in -[ioL]) shift 2;; *) shift;; esac; done
shift
exec env -i HOME='{home}' PATH=/usr/bin:/bin TERM=dumb bash -c "$*"
"""
RSYNC = """#!/bin/bash
from=${{@: -2:1}} to=${{@: -1}}
to=${{to#*:}}
exec cp -RLp --no-target-directory "$from" "${{to/#\\~/{home}}}"
"""
RECORDER = """#!{python}
import json, os, resource, sys
from pathlib import Path
limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
call = [Path(sys.argv[0]).name, *sys.argv[1:]]
with open({calls!r}, "a") as calls:
    print(json.dumps([call, dict(os.environ), limit]), file=calls)
"""
# What Debian's and Ubuntu's /etc/skel has.
PROFILE = 'if [ -d "$HOME/.local/bin" ]; then PATH="$HOME/.local/bin:$PATH"; fi\n'
DOT_ENV = """\
ORCHESTRATION_API_KEY='the key of this laboratory'
DATABASE_URL='postgresql://somebody:secret@10.0.0.1/orchestration?a=b&c=d'
RAY_AUTH_TOKEN=6e340b9cffb37a989ca544e6bb780a2c
HOST=0.0.0.0
PORT={port}
"""


@dataclass(frozen=True)
class Call:
    """How a program was called."""

    words: list[str]
    variables: dict[str, str]
    open_files: int


class Laboratory:
    """Whose clone `ray up` is run in, and the home of the service's user on the node."""

    def __init__(self, folder: Path, port: int) -> None:
        self.clone, self.home, self.programs = (
            folder / name for name in ("clone", "home", "programs")
        )
        self.calls_file = folder / "calls"
        self._folder = folder
        self.clone.mkdir()
        for entry in ROOT.iterdir():
            if entry.name not in (".env", ".data", ".venv"):
                (self.clone / entry.name).symlink_to(entry)
        (self.clone / ".env").write_text(DOT_ENV.format(port=port))
        # What a service that runs in the clone may have there.
        (self.clone / ".data").mkdir()
        (self.clone / ".data" / "session_latest").symlink_to("nowhere")
        self._make_node()
        self._program(self.programs / "ssh", SSH.format(home=self.home))
        self._program(self.programs / "rsync", RSYNC.format(home=self.home))
        key = self._folder / ".ssh" / "id_ed25519"
        key.parent.mkdir()
        key.touch()

    def _make_node(self) -> None:
        programs = self.home / "orchestration" / ".venv" / "bin"
        recorder = RECORDER.format(python=sys.executable, calls=str(self.calls_file))
        for name in ("ray", "serve"):
            self._program(programs / name, recorder)
        self._program(programs / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (self.home / ".profile").write_text(PROFILE)
        (self.home / ".bashrc").touch()
        # Installed already, and later than the lock files that come.
        installed = programs.parent / ".installed"
        installed.touch()
        os.utime(installed, (2**32, 2**32))

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o700)

    def ray(self, *arguments: str) -> None:
        """Run Ray's own command in the clone."""
        variables = {
            "HOME": str(self._folder),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "RAY_TMPDIR": str(self._folder),
            "TMPDIR": str(self._folder),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        done = subprocess.run(
            [sys.executable, "-m", "ray.scripts.scripts", *arguments],
            cwd=self.clone,
            env=environment(self._folder / "unused", **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run_on_node(self, command: str) -> None:
        """Run a command as the head's autoscaler does on a node of its own."""
        subprocess.run(
            [self.programs / "ssh", "-tt", "node", "bash", "--login", "-c", f"'{command}'"],
            check=True,
        )

    def calls(self) -> list[Call]:
        """Those since they were last asked for."""
        lines = self.calls_file.read_text().splitlines()
        self.calls_file.unlink()
        return [Call(*json.loads(line)) for line in lines]

    def bootstrap_config(self) -> dict[str, Any]:
        """What the head knows of its cluster."""
        config: dict[str, Any] = yaml.safe_load(
            (self.home / "ray_bootstrap_config.yaml").read_text()
        )
        return config

    def clean_up(self) -> None:
        """Remove the link in /tmp that the node's processes would use."""
        for link in Path("/tmp").glob("orch-*"):
            if link.is_symlink() and link.readlink().is_relative_to(self.home):
                link.unlink()


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[Laboratory]:
    made = Laboratory(tmp_path, free_port())
    yield made
    made.clean_up()


def test_ray_up_starts_the_service_and_ray_down_ends_it(laboratory: Laboratory) -> None:
    laboratory.ray("up", "--yes", "cluster.yaml")

    stop, start, start_serve, run_service = laboratory.calls()
    assert stop.words == ["ray", "stop"]
    assert start.words[:4] == ["ray", "start", "--head", "--port=6379"]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start.words
    assert start_serve.words[:4] == ["serve", "start", "--http-host", "0.0.0.0"]
    assert start_serve.variables["PORT"] in start_serve.words
    assert run_service.words[-1] == "serve_app:build_app"
    for call in (start, start_serve, run_service):
        assert call.variables["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
        assert call.variables["RAY_worker_niceness"] == "0"
        assert call.variables["RAY_enable_autoscaler_v2"] == "0"
        assert call.variables["ORCHESTRATION_API_KEY"] == "the key of this laboratory"
        assert call.variables["DATABASE_URL"].endswith("?a=b&c=d")
        assert call.open_files == resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    for command in laboratory.bootstrap_config()["worker_start_ray_commands"]:
        laboratory.run_on_node(f"export RAY_HEAD_IP=10.0.0.10; {command}")
    _, join = laboratory.calls()
    assert join.words[:3] == ["ray", "start", "--address=10.0.0.10:6379"]
    assert join.variables["RAY_worker_niceness"] == "0"

    laboratory.ray("down", "--yes", "cluster.yaml")
    assert [call.words for call in laboratory.calls()] == [["ray", "stop"]]
