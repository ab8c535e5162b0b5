"""The files for `ray up` are what Ray takes."""

import importlib.util
import json
from pathlib import Path

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


@pytest.mark.parametrize("file", ["cluster.yaml", "docs/cluster-aws.yaml"])
def test_a_cluster_file_is_valid_by_ray_s_own_schema(file: str) -> None:
    cluster = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    jsonschema.validate(cluster, ray_schema())


@pytest.mark.parametrize("file", ["cluster.yaml", "docs/cluster-aws.yaml"])
def test_every_node_of_a_cluster_keeps_ray_s_ports_behind_a_token(file: str) -> None:
    cluster = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [one for one in cluster[commands] if "bin/ray start" in one]
        assert starts
        assert all("RAY_AUTH_MODE=token" in one for one in starts)
