"""How long to wait before trying again: exponential with full jitter.

After M. Brooker, "Exponential Backoff and Jitter" (2015): the wait is uniform between nothing and
a ceiling that doubles, so that clients cut off together do not come back together.
"""

from collections.abc import Callable

FIRST_CEILING_NS = 500_000_000
LAST_CEILING_NS = 15_000_000_000


class Backoff:
    """`uniform` gives a number in [0, 1)."""

    def __init__(self, uniform: Callable[[], float]) -> None:
        self._uniform = uniform
        self._failures = 0

    def wait_ns(self) -> int:
        """How long to wait after one more failure."""
        ceiling = min(LAST_CEILING_NS, FIRST_CEILING_NS << min(self._failures, 16))
        self._failures += 1
        return int(self._uniform() * ceiling)

    def reset(self) -> None:
        """It worked: the next failure is the first again."""
        self._failures = 0
