"""A pool of services in figures."""

from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter
from orchestration.services.balanced import Balanced
from orchestration.services.balancing.breaker import State
from orchestration.services.balancing.upstream import UpstreamSnapshot

GATEWAY_PREFIX = "gateway_"
"""Before a pool's name where the gateway's view of it is meant, which is one of its own."""


def sample_pool(meter: Meter, balanced: Balanced[Any]) -> None:
    """How the services of a process's one pool stand."""
    pool, snapshot = balanced.pool, balanced.snapshot()
    _sample(meter, {pool: snapshot.upstreams})
    meter.count_to(catalogue.RETRIES, snapshot.retries, pool)
    meter.count_to(catalogue.RETRIES_REFUSED, snapshot.retries_refused, pool)
    meter.set(catalogue.RETRY_BUDGET, snapshot.retries_saved, pool)
    meter.set(catalogue.POOL_WAITING, snapshot.waiting, pool)


def sample_gateway(meter: Meter, pools: Mapping[str, Iterable[UpstreamSnapshot]]) -> None:
    """How the services stand for the gateway."""
    _sample(meter, {GATEWAY_PREFIX + name: upstreams for name, upstreams in pools.items()})


def _sample(meter: Meter, pools: Mapping[str, Iterable[UpstreamSnapshot]]) -> None:
    for pool, upstreams in pools.items():
        for one in upstreams:
            meter.count_to(catalogue.UPSTREAM_REQUESTS, one.calls, pool, one.name)
            meter.count_to(catalogue.UPSTREAM_FAILURES, one.failures, pool, one.name)
            meter.count_to(catalogue.UPSTREAM_EJECTIONS, one.ejections, pool, one.name)
            meter.set(catalogue.UPSTREAM_OUTSTANDING, one.outstanding, pool, one.name)
            if one.limit is not None:
                meter.set(catalogue.UPSTREAM_LIMIT, one.limit, pool, one.name)
            for state in State:
                is_it = float(one.state is state)
                meter.set(catalogue.UPSTREAM_BREAKER, is_it, pool, one.name, state.value)
