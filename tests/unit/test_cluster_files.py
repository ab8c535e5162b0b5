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
def test_every_node_of_a_cluster_starts_ray_in_a_node_s_environment(file: str) -> None:
    cluster = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        starts = [one for one in cluster[commands] if "bin/ray start" in one]
        assert starts
        for start in starts:
            prepared = start.partition("bin/ray start")[0]
            assert 'node=$(.venv/bin/python -m actors.node_environment) && eval "$node"' in prepared
