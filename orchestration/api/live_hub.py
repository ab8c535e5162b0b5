"""One event subscription per watched session, fanned out to its viewers in this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog

from orchestration.api.connection import CLOSE_DONE, CLOSE_INTERNAL_ERROR
from orchestration.api.ports import SessionLink, Sessions
from orchestration.api.server_messages import encode_message
from orchestration.errors import Fenced, LimitReached, OrchestrationError, Unavailable
from orchestration.json_types import JsonObject
from orchestration.session.events import DurableEvent, PassingEvent
from orchestration.session.exchange import LiveBatch, LiveCursor
from orchestration.session.status import TERMINAL
from orchestration.storage.archive_ports import Archive

RETRY_S = 1.0
"""Between tries to reach a session that restarts; its viewers wait."""
REPLAY_PAGE_EVENTS = 500

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event encoded once for all viewers; `seq` is absent of passing ones. `ends` is the key of
    the passing one that it makes untrue."""

    text: str
    key: str
    seq: int | None
    is_last: bool = False
    ends: str | None = None


def durable_outgoing(event: DurableEvent) -> Outgoing:
    """A durable event; a final status is the last thing that a viewer hears."""
    is_last = event.type == "status" and event.body.get("status") in TERMINAL
    ends = event.ends and f"key {event.ends}"
    return Outgoing(encode_message(event.message()), f"seq {event.seq}", event.seq, is_last, ends)


def passing_outgoing(event: PassingEvent) -> Outgoing:
    return Outgoing(encode_message(event.message()), f"key {event.key}", None)


class ViewerQueue:
    """Events waiting for one viewer, at most `max_events`, in order.

    A passing event replaces the one with its key, and takes its place at the end. When the queue
    is full a passing event is not taken in, and a durable one drops the oldest passing one; with
    none left to drop, the viewer is too slow.
    """

    def __init__(self, max_events: int) -> None:
        self._max_events = max_events
        self._waiting: dict[str, Outgoing] = {}
        self._passing: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._too_slow = asyncio.Event()
        self._closed = False
        self.close_code = CLOSE_DONE

    def offer(self, event: Outgoing) -> None:
        """Queue an event; never waits."""
        if self._closed or self._too_slow.is_set():
            return
        for key in (event.key, event.ends):
            if key is not None and key in self._passing:
                del self._waiting[key], self._passing[key]
        if len(self._waiting) >= self._max_events:
            if event.seq is None:
                return
            if not self._passing:
                self._too_slow.set()
                return
            oldest = next(iter(self._passing))
            del self._waiting[oldest], self._passing[oldest]
        self._waiting[event.key] = event
        if event.seq is None:
            self._passing[event.key] = None
        self._changed.set()

    def close(self, code: int = CLOSE_DONE) -> None:
        """Nothing more will come; what waits is still to be sent."""
        self._closed = True
        self.close_code = code
        self._changed.set()

    async def take(self) -> Outgoing | None:
        """The next event, or None when nothing more will come."""
        while not self._waiting:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        key = next(iter(self._waiting))
        self._passing.pop(key, None)
        return self._waiting.pop(key)

    async def overflow(self) -> None:
        """Raises LimitReached once the viewer is too slow."""
        await self._too_slow.wait()
        raise LimitReached(
            f"More than {self._max_events} events were waiting; resume after the last one seen.",
            {"limit": "viewer_queue_events", "max": self._max_events},
        )


class SessionFeed:
    """One session's events, from its actor to the viewers' queues, without holes.

    Events are stored before they are sent, so that whoever subscribes first and reads the archive
    then has every event either there or in its queue.
    """

    def __init__(self, session_id: str, sessions: Sessions, archive: Archive) -> None:
        self._session_id = session_id
        self._sessions = sessions
        self._archive = archive
        self._seq = 0
        self._cursor = LiveCursor(0)
        self._link: SessionLink | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._newest: dict[str, PassingEvent] = {}
        self.viewers: set[ViewerQueue] = set()
        self.task = asyncio.create_task(self._run())

    async def ready(self) -> None:
        """Wait until the feed knows where it starts.

        Raises:
            UnknownSession, DatabaseUnavailable: of the archive.
        """
        await asyncio.shield(self._ready)

    def join(self, queue: ViewerQueue) -> None:
        """One more viewer, who is told what holds in passing."""
        for event in self._newest.values():
            queue.offer(passing_outgoing(event))
        self.viewers.add(queue)

    async def _run(self) -> None:
        code = CLOSE_DONE
        try:
            await self._start()
            await self._pump()
            await self._catch_up()
        except OrchestrationError as error:
            code = error.close_code
            self._fail_start(error)
            _log.warning("live_feed_ended", session_id=self._session_id, error=error.code)
        except Exception:
            code = CLOSE_INTERNAL_ERROR
            self._fail_start(OrchestrationError("The live feed could not start."))
            _log.exception("live_feed_failed", session_id=self._session_id)
        finally:
            for viewer in self.viewers:
                viewer.close(code)

    def _fail_start(self, error: OrchestrationError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # Looked at: perhaps no viewer is left to do so.

    async def _start(self) -> None:
        self._seq = (await self._archive.snapshot(self._session_id, 1)).seq
        self._cursor = LiveCursor(self._seq)
        self._ready.set_result(None)

    async def _pump(self) -> None:
        """Until the session has ended for good; an actor that leaves early is sought anew."""
        while True:
            try:
                if self._link is None:
                    self._link = await self._sessions.link(self._session_id)
                if self._link is None:
                    return
                batch = await self._link.events(self._cursor)
                await self._deliver(batch)
                if not batch.closed:
                    continue
                row = await self._archive.session(self._session_id)
                if row.status in TERMINAL:
                    return
            except (Unavailable, Fenced):
                pass
            self._link = None
            await asyncio.sleep(RETRY_S)

    async def _deliver(self, batch: LiveBatch) -> None:
        if batch.missed:
            await self._catch_up()
        for event in batch.durable:
            if event.seq > self._seq + 1:
                await self._catch_up(event.seq - 1)
            self._offer_durable(event)
        if self._cursor.epoch not in (0, batch.cursor.epoch):
            self._retract_pending()
        for passing in batch.passing:
            self._offer_passing(passing)
        self._cursor = replace(batch.cursor, seq=self._seq)

    def _retract_pending(self) -> None:
        """What one incarnation had pending, the next one hears anew and says nothing of."""
        for event in list(self._newest.values()):
            segment = event.body.get("segment") if event.type == "segment" else None
            if isinstance(segment, dict):
                retracted: JsonObject = {"segment_id": segment["segment_id"]}
                self._offer_passing(PassingEvent(event.key, "retract", retracted))

    async def _catch_up(self, to_seq: int | None = None) -> None:
        """Read from the archive what the session did not bring, up to `to_seq` or the end."""
        while to_seq is None or self._seq < to_seq:
            page = await self._archive.events(self._session_id, self._seq, REPLAY_PAGE_EVENTS)
            if not page:
                return
            for event in page:
                self._offer_durable(event)

    def _offer_durable(self, event: DurableEvent) -> None:
        if event.seq > self._seq:
            self._seq = event.seq
            self._newest.pop(event.ends or "", None)
            self._offer(durable_outgoing(event))

    def _offer_passing(self, event: PassingEvent) -> None:
        self._newest[event.key] = event
        self._offer(passing_outgoing(event))

    def _offer(self, event: Outgoing) -> None:
        for viewer in self.viewers:
            viewer.offer(event)


class LiveHub:
    """The feeds of this process: one for each session that somebody watches."""

    def __init__(self, sessions: Sessions, archive: Archive, max_events: int) -> None:
        self._sessions = sessions
        self._archive = archive
        self._max_events = max_events
        self._feeds: dict[str, SessionFeed] = {}

    @contextmanager
    def watch(self, session_id: str) -> Iterator[tuple[SessionFeed, ViewerQueue]]:
        """Subscribe; the last to leave ends the feed."""
        feed = self._feeds.get(session_id)
        if feed is None or feed.task.done():
            feed = self._feeds[session_id] = SessionFeed(session_id, self._sessions, self._archive)
        queue = ViewerQueue(self._max_events)
        feed.join(queue)
        try:
            yield feed, queue
        finally:
            feed.viewers.discard(queue)
            if not feed.viewers:
                feed.task.cancel()
                if self._feeds.get(session_id) is feed:
                    del self._feeds[session_id]
