"""When a request that takes long is asked of a second upstream as well.

Hedged requests (Dean and Barroso, The Tail at Scale, CACM 2013): after the time in which nine in
ten are answered, so that a tenth is asked twice, and less when the retry budget is short.
"""

from collections import deque
from dataclasses import dataclass, field

from orchestration.services.balancing.outliers import FEWEST_ANSWERS, WINDOW_ANSWERS, percentile

HEDGED_BEYOND_PER_MILLE = 900


@dataclass(slots=True)
class Hedging:
    """The latest latencies of a pool, in milliseconds."""

    latencies_ms: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW_ANSWERS))

    def answered(self, latency_ms: int) -> None:
        """A request was answered."""
        self.latencies_ms.append(latency_ms)

    @property
    def delay_ms(self) -> int | None:
        """How long to wait for the first upstream alone; None while too little is known."""
        if len(self.latencies_ms) < FEWEST_ANSWERS:
            return None
        return percentile(self.latencies_ms, HEDGED_BEYOND_PER_MILLE)
