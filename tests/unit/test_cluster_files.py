"""The files for `ray up` are what Ray takes."""

import importlib.util
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]


def ray_schema() -> dict[str, object]:
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "autoscaler" / "ray-schema.json"
    schema: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return schema


FILES = ("cluster.yaml", "docs/cluster-aws.yaml")
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")
COMMANDS = ("setup_commands", "head_setup_commands", *STARTS)


def cluster_of(file: str) -> dict[str, Any]:
    cluster: dict[str, Any] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    return cluster


@pytest.mark.parametrize("file", FILES)
def test_a_cluster_file_is_valid_by_ray_s_own_schema(file: str) -> None:
    jsonschema.validate(cluster_of(file), ray_schema())


@pytest.mark.parametrize("file", FILES)
def test_every_node_of_a_cluster_starts_ray_in_a_node_s_environment(file: str) -> None:
    cluster = cluster_of(file)
    for commands, argument in zip(STARTS, (" head", ""), strict=True):
        starts = [one for one in cluster[commands] if "bin/ray start" in one]
        assert starts
        for start in starts:
            prepared = start.partition("bin/ray start")[0]
            read = f'node=$(.venv/bin/python -m actors.node_environment{argument}) && eval "$node"'
            assert read in prepared


@pytest.mark.parametrize("file", FILES)
def test_every_command_is_one_that_a_shell_reads(file: str) -> None:
    cluster = cluster_of(file)
    for command in (command for commands in COMMANDS for command in cluster[commands]):
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize("file", FILES)
def test_nodes_get_all_that_runs_there(file: str) -> None:
    mounts: dict[str, str] = cluster_of(file)["file_mounts"]
    for there, here in mounts.items():
        assert there == f"~/orchestration/{here}"
        assert here == ".env" or (ROOT / here).exists()
    sent = set(mounts.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packaged = project["tool"]["setuptools"]
    packages = {name.partition(".")[0] for name in packaged["packages"]["find"]["include"]}
    assert {name.rstrip("*") for name in packages} <= sent
    assert {f"{name}.py" for name in packaged["py-modules"]} <= sent
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= sent
    assert {"Makefile", "requirements", "db", "configs", ".env"} <= sent


def test_the_same_runs_on_machines_of_aws() -> None:
    own, aws = map(cluster_of, FILES)
    assert own["file_mounts"] == aws["file_mounts"]
    assert own["worker_start_ray_commands"] == aws["worker_start_ray_commands"]
    of_local_clusters = "export RAY_enable_autoscaler_v2=0 && "
    commands = [one.replace(of_local_clusters, "") for one in own["head_start_ray_commands"]]
    assert commands == aws["head_start_ray_commands"]
    assert set(own["setup_commands"]) <= set(aws["setup_commands"])


@pytest.mark.parametrize("file", FILES)
def test_the_targets_of_make_that_it_names_are_there(file: str) -> None:
    named = re.findall(r"make -C ~/orchestration (\S+)", (ROOT / file).read_text(encoding="utf-8"))
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert named
    assert all(f"\n{name}:" in targets for name in named)
