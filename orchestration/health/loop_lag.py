"""How late an event loop comes back to those who sleep."""

import asyncio
import time


class LoopLag:
    """Sleeps, and remembers the latest return since it was last asked."""

    def __init__(self) -> None:
        self._lag_ms = 0

    async def sleep(self, seconds: float) -> None:
        """Sleep, and note how much later than asked the loop came back."""
        started_s = time.monotonic()
        await asyncio.sleep(seconds)
        lag_ms = round((time.monotonic() - started_s - seconds) * 1000)
        self._lag_ms = max(self._lag_ms, lag_ms)

    def take_ms(self) -> int:
        """The worst lag since the last call."""
        lag_ms, self._lag_ms = self._lag_ms, 0
        return lag_ms
