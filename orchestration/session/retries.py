"""Chunks that are not answered: when to try again, and when to stop."""

from dataclasses import dataclass

from orchestration.errors import EngineRefused, OrchestrationError
from orchestration.session.values import SessionValues


@dataclass(slots=True)
class _Trouble:
    since_ms: int
    failures: int = 0
    refusals: int = 0
    retry_at_ms: int | None = None


class ChunkRetries:
    """One chunk may be in trouble for each stream."""

    def __init__(self, values: SessionValues) -> None:
        self._values = values
        self._troubles: dict[int, _Trouble] = {}

    def failures(self, stream: int) -> int:
        """How often the stream's chunk has failed."""
        trouble = self._troubles.get(stream)
        return trouble.failures if trouble else 0

    def apply(self, values: SessionValues) -> None:
        """Count by these values from now on."""
        self._values = values

    def answered(self, stream: int) -> None:
        """The stream's chunk is out of trouble."""
        self._troubles.pop(stream, None)

    def failed(self, stream: int, error: OrchestrationError, now_ms: int) -> bool:
        """Count a failure. True: it will be due again; False: it is to be given up.

        The wait doubles from `retry_ms` up to `retry_max_ms`: services that come back should find
        work soon, and one that is down should not be asked all the time.
        """
        values = self._values
        trouble = self._troubles.setdefault(stream, _Trouble(now_ms))
        trouble.failures += 1
        trouble.refusals += isinstance(error, EngineRefused)
        if (
            trouble.refusals >= values.refused_attempts
            or now_ms - trouble.since_ms >= values.outage_patience_ms
        ):
            del self._troubles[stream]
            return False
        wait_ms = values.retry_ms * 2 ** min(trouble.failures - 1, 16)
        trouble.retry_at_ms = now_ms + min(values.retry_max_ms, wait_ms)
        return True

    def due(self, now_ms: int) -> list[int]:
        """Streams whose chunk is to be sent again now."""
        ready = [
            stream
            for stream, trouble in self._troubles.items()
            if trouble.retry_at_ms is not None and trouble.retry_at_ms <= now_ms
        ]
        for stream in ready:
            self._troubles[stream].retry_at_ms = None
        return ready
