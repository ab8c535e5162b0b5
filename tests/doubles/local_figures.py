"""Figures where a process is all there is: an API without Ray."""

from collections.abc import Callable, Mapping

from orchestration.metrics.meter import Meter, Tally
from orchestration.metrics.node_figures import Figures, NodeFigures
from orchestration.process_clock import monotonic_ms

LOCAL_NODE = "local"


class LocalFigures:
    """The Measures port over one tally."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._node = NodeFigures()
        self._samplers: list[Callable[[Meter], None]] = []
        self._reports = 0

    @property
    def meter(self) -> Meter:
        return self._tally

    def sample(self, fill: Callable[[Meter], None]) -> None:
        self._samplers.append(fill)

    async def figures(self) -> Mapping[str, Figures]:
        for fill in self._samplers:
            fill(self._tally)
        now_ms = monotonic_ms()
        self._reports += 1
        self._node.take(LOCAL_NODE, self._reports, self._tally.take(), now_ms)
        return {LOCAL_NODE: self._node.figures(now_ms)}
