"""What a session recently told, for whoever watches. Waiting is asyncio's; nothing else is I/O."""

import asyncio
from collections import deque

from orchestration.session.events import DurableEvent, PassingEvent
from orchestration.session.exchange import LiveBatch, LiveCursor


class LiveLog:
    """The latest durable events, and the newest passing event of each key that still holds.

    A reader brings its cursor and gets what came after it, so readers are independent of each
    other and of the writer. Durable events beyond `capacity` are dropped from memory: a reader
    that far behind is told `missed` and reads them from the archive.
    """

    def __init__(self, epoch: int, last_seq: int, capacity: int) -> None:
        self._epoch = epoch
        self._last_seq = last_seq
        self._durable: deque[DurableEvent] = deque(maxlen=capacity)
        self._passing: dict[str, tuple[int, PassingEvent]] = {}
        self._passing_count = 0
        self._news = asyncio.Event()
        self.closed = False

    def tell(self, durable: tuple[DurableEvent, ...], passing: tuple[PassingEvent, ...]) -> None:
        """Events that are stored by now, and passing ones that follow them."""
        for event in durable:
            self._durable.append(event)
            self._last_seq = event.seq
            self._passing.pop(event.ends or "", None)
        for event_passing in passing:
            self._passing_count += 1
            self._passing[event_passing.key] = (self._passing_count, event_passing)
        if durable or passing:
            self._wake()

    def close(self) -> None:
        """The session will say no more."""
        self.closed = True
        self._wake()

    def after(self, cursor: LiveCursor) -> LiveBatch:
        """What came after the cursor, without waiting."""
        oldest = self._durable[0].seq if self._durable else self._last_seq + 1
        missed = cursor.seq < oldest - 1
        durable = () if missed else tuple(one for one in self._durable if one.seq > cursor.seq)
        seen = cursor.passing if cursor.epoch == self._epoch else 0
        passing = sorted(
            (entry for entry in self._passing.values() if entry[0] > seen), key=lambda one: one[0]
        )
        return LiveBatch(
            cursor=LiveCursor(
                cursor.seq if missed else max(cursor.seq, self._last_seq),
                self._epoch,
                self._passing_count,
            ),
            durable=durable,
            passing=tuple(event for _, event in passing),
            missed=missed,
            closed=self.closed,
        )

    async def wait_after(self, cursor: LiveCursor, timeout_s: float) -> LiveBatch:
        """What came after the cursor; waits for something, `timeout_s` at most."""
        batch = self.after(cursor)
        if batch.durable or batch.passing or batch.missed or batch.closed:
            return batch
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            pass
        return self.after(cursor)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
