"""An upstream's latency as its next caller should expect it."""

from dataclasses import dataclass
from math import exp

DECAY_MS = 10_000
"""After this long a latency counts for 1/e of what it did."""
UNKNOWN_MS = 60_000
"""What is expected of an upstream that was asked and has never answered."""


@dataclass(slots=True)
class PeakEwma:
    """An average that jumps to a worse latency at once and decays towards better ones, and towards
    0 while nobody asks, so that nobody is avoided for ever (as in Twitter's Finagle)."""

    value_ms: float = 0.0
    at_ms: int = 0
    has_answers: bool = False

    def answered(self, latency_ms: int, now_ms: int) -> None:
        """Take an answer into the average."""
        decayed = self.at(now_ms)
        weight = exp(-max(now_ms - self.at_ms, 0) / DECAY_MS)
        average = decayed + latency_ms * (1 - weight)
        self.value_ms = max(float(latency_ms), average)
        self.at_ms, self.has_answers = now_ms, True

    def at(self, now_ms: int) -> float:
        """The average as it stands, in milliseconds."""
        return self.value_ms * exp(-max(now_ms - self.at_ms, 0) / DECAY_MS)

    def cost(self, under_way: int, weight: int, now_ms: int) -> float:
        """What one more request would wait for, per weight; a measure to compare by."""
        expected_ms = self.at(now_ms) + 1
        if not self.has_answers and under_way:
            expected_ms = float(UNKNOWN_MS)
        return expected_ms * (under_way + 1) / weight
