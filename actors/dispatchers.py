"""One dispatcher on every node that is alive."""

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.detached import detached_actor
from actors.dispatcher import Dispatcher
from actors.names import DISPATCHER_PREFIX, dispatcher_name, named_actors


def ensure_dispatchers(application: str, timeout_s: float) -> None:
    """Start those that are missing; `application` has the engines' deployments, and `timeout_s`
    bounds a request until they have read the settings themselves."""
    there = set(named_actors(DISPATCHER_PREFIX))
    for node_id in _alive_nodes():
        name = dispatcher_name(node_id)
        if name not in there:
            strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
            detached_actor(
                Dispatcher,
                name,
                application,
                timeout_s,
                scheduling_strategy=strategy,
                enable_task_events=False,
            )


def _alive_nodes() -> list[str]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return sorted(str(node["NodeID"]) for node in nodes if node["Alive"])
