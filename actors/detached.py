"""Actors that live on when whoever started them ends."""

from typing import Any

import ray

from actors.names import NAMESPACE


def detached_actor(actor_class: type, name: str, *arguments: object, **options: object) -> Any:
    """The one actor of this name, started if it is not there; Ray restarts it whenever it dies."""
    return (
        ray.remote(actor_class)
        .options(
            name=name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            num_cpus=0,
            **options,
        )
        .remote(*arguments)
    )
