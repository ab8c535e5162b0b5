"""What a sender's connection has read and not yet handed to its session."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from weakref import WeakSet

from orchestration.session.exchange import IngestBatch
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: AudioFrame | Fact | EndOfStreams
    size: int
    received_ns: int


class IngestQueue:
    """Items in order, from one reader to one pusher, bounded in bytes.

    When `max_bytes` wait, `put` does: the reader stops reading, and TCP holds the sender back.
    From `plenty_bytes` or `plenty_items` on, nobody lingers for more.
    """

    def __init__(self, max_bytes: int, plenty_bytes: int, plenty_items: int) -> None:
        self._max_bytes = max_bytes
        self._plenty_bytes = plenty_bytes
        self._plenty_items = plenty_items
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._plenty = asyncio.Event()
        self._drained = asyncio.Event()
        _queues.add(self)

    @property
    def waiting(self) -> tuple[int, int]:
        """Items, and their bytes on the wire."""
        return len(self._waiting), self._bytes

    async def put(
        self, item: AudioFrame | Fact | EndOfStreams, size: int, received_ns: int
    ) -> None:
        """Add an item of `size` bytes on the wire, as soon as there is room."""
        while self._bytes >= self._max_bytes:
            self._drained.clear()
            await self._drained.wait()
        self._waiting.append(_Waiting(item, size, received_ns))
        self._bytes += size
        self._filled.set()
        if (
            self._bytes >= self._plenty_bytes
            or len(self._waiting) >= self._plenty_items
            or isinstance(item, EndOfStreams)
        ):
            self._plenty.set()

    async def take(self, max_bytes: int, linger_until_s: float = 0) -> IngestBatch:
        """All that waits, up to `max_bytes`, but at least one item.

        More may come until `linger_until_s` on the loop's clock, unless plenty waits or the end
        was said.
        """
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        if linger_until_s > asyncio.get_running_loop().time():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(linger_until_s):
                    await self._plenty.wait()
        taken = [self._waiting.popleft()]
        size = taken[0].size
        while self._waiting and size + self._waiting[0].size <= max_bytes:
            taken.append(self._waiting.popleft())
            size += taken[-1].size
        self._bytes -= size
        if not self._waiting:
            self._plenty.clear()
        self._drained.set()
        return IngestBatch(
            tuple(one.item for one in taken), tuple(one.received_ns for one in taken)
        )


_queues: "WeakSet[IngestQueue]" = WeakSet()


def ingest_backlog() -> dict[str, int]:
    """What waits in all queues of this process, by name and unit."""
    waiting = [queue.waiting for queue in _queues]
    return {
        "ingest_items_waiting": sum(items for items, _ in waiting),
        "ingest_bytes_waiting": sum(size for _, size in waiting),
    }


class FactRate:
    """A token bucket: `per_s` facts a second, and as many at once.

    Facts over the rate are not refused: they are numbered, and a hole would stop all that follow.
    They wait, and the sender with them.
    """

    def __init__(self, per_s: int, now_s: float) -> None:
        self._per_s = per_s
        self._tokens = float(per_s)
        self._at_s = now_s

    def delay_s(self, now_s: float) -> float:
        """Seconds that the next fact has to wait; its place is taken."""
        self._tokens = min(self._per_s, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        self._tokens -= 1
        return max(0.0, -self._tokens / self._per_s)
