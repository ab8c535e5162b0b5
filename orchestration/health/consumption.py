"""Who stopped consuming: work waits, and none is done, however alive the process is. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.health.alerts import Figure


@dataclass(frozen=True, slots=True)
class Consumption:
    """One consumer at one look: `waiting` pieces of work now, `done` ones since its start."""

    consumer: str
    waiting: int
    done: int


@dataclass(slots=True)
class _Progress:
    done: int
    since_ms: int


class ConsumptionWatch:
    """Tells which consumers had work all the time and did none of it for `stalled_after_ms`."""

    def __init__(self, stalled_after_ms: int) -> None:
        self.stalled_after_ms = stalled_after_ms
        self._progress: dict[str, _Progress] = {}

    def look(self, consumers: Iterable[Consumption], now_ms: int) -> tuple[str, ...]:
        """Take one look at all consumers; returns those that stopped, in order.

        One that is not told of is forgotten. A count of work done that changes either way is
        progress: a consumer that restarted counts from 0.
        """
        before, self._progress = self._progress, {}
        stalled = []
        for one in consumers:
            known = before.get(one.consumer)
            moved = known is None or known.done != one.done or one.waiting == 0
            progress = _Progress(one.done, now_ms) if known is None or moved else known
            self._progress[one.consumer] = progress
            if now_ms - progress.since_ms >= self.stalled_after_ms:
                stalled.append(one.consumer)
        return tuple(sorted(stalled))

    def forget(self, consumer: str) -> None:
        """Something was done about a consumer: its time begins anew."""
        self._progress.pop(consumer, None)


def consumption_figures(
    consumers: Iterable[Consumption], stalled: Iterable[str]
) -> tuple[Figure, ...]:
    """Whether each consumer stopped, for alert rules to judge."""
    stopped = set(stalled)
    return tuple(
        Figure("stopped_consuming", one.consumer, int(one.consumer in stopped)) for one in consumers
    )
