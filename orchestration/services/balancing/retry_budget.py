"""How many tries a pool may make beyond its requests: a fifth, so that an outage is not made
worse by those who suffer from it (Google's Site Reliability Engineering, "Handling Overload")."""

from dataclasses import dataclass

RETRY_COST = 5
"""Requests that pay for one retry: 20 %."""
RESERVE_RETRIES = 10
"""Retries that may be saved up, and that a pool begins with; further requests save nothing."""


@dataclass(slots=True)
class RetryBudget:
    """Every request pays 1 in, every retry takes `RETRY_COST` out."""

    saved: int = RETRY_COST * RESERVE_RETRIES
    retries: int = 0
    refused: int = 0
    """Retries that were wanted when nothing was left."""

    def request(self) -> None:
        self.saved = min(self.saved + 1, RETRY_COST * RESERVE_RETRIES)

    def take(self) -> bool:
        """Whether there may be a retry; if so, it is paid for."""
        if self.saved < RETRY_COST:
            self.refused += 1
            return False
        self.saved -= RETRY_COST
        self.retries += 1
        return True
