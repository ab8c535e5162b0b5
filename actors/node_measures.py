"""The figures of all nodes, asked of their dispatchers."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import ray
import structlog

from actors.names import DISPATCHER_PREFIX, NAMESPACE, ask, named_actors
from actors.reports import Reports
from orchestration.errors import OrchestrationError
from orchestration.metrics.meter import Meter
from orchestration.metrics.node_figures import Figures

log = structlog.get_logger(__name__)

FIGURES_TIMEOUT_S = 3.0
"""A dispatcher that has not answered by then is left out; Prometheus waits for 10 s."""


class NodeMeasures:
    """The Measures port of an ingress replica."""

    def __init__(self) -> None:
        self._reports = Reports()

    @property
    def meter(self) -> Meter:
        return self._reports.meter

    def sample(self, fill: Callable[[Meter], None]) -> None:
        self._reports.sample(fill)

    def start(self) -> None:
        """Begin to report this process's own."""
        self._reports.start()

    async def figures(self) -> Mapping[str, Figures]:
        names = named_actors(DISPATCHER_PREFIX)
        answers = await asyncio.gather(*map(_figures_of, names))
        by_node: dict[str, Figures] = {}
        for name, answer in zip(names, answers, strict=True):
            if answer is not None:
                address, figures = answer
                # Nodes may share an address; each is then named by its id.
                by_node[name.removeprefix(DISPATCHER_PREFIX) if address in by_node else address] = (
                    figures
                )
        return by_node


async def _figures_of(name: str) -> tuple[str, Figures] | None:
    try:
        dispatcher: Any = ray.get_actor(name, NAMESPACE)
        async with asyncio.timeout(FIGURES_TIMEOUT_S):
            answer: tuple[str, Figures] = await ask(dispatcher.figures.remote(), "dispatcher")
            return answer
    except (OrchestrationError, ValueError, TimeoutError) as error:
        log.warning("node_figures_missing", dispatcher=name, reason=str(error))
        return None
