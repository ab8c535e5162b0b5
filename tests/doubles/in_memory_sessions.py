"""The Sessions and SessionLink ports in memory: a session that stores, judges and tells, without
audio work. Tests script its failures through its public attributes."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestration.api.ports import SessionLink
from orchestration.errors import (
    BadAudio,
    FrameConflict,
    FramesAfterEnd,
    OrchestrationError,
    SessionEnded,
    TakenOver,
    Unavailable,
)
from orchestration.health.report import HealthReport, ServiceHealth
from orchestration.json_types import JsonObject
from orchestration.session.events import DurableEvent, PassingEvent
from orchestration.session.exchange import (
    IngestBatch,
    IngestReply,
    LiveBatch,
    LiveCursor,
    Notice,
    StreamAck,
    StreamPosition,
    Welcome,
)
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact, StreamSpec
from orchestration.speakers.corrections import CORRECTED_BY, Correction
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasing import Erasing
from orchestration.storage.erasure_ports import ErasureReceipt, Person, PersonAudio
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import JournalFrame, SessionRow, SessionSpec, StreamRow
from tests.doubles.in_memory_archive import InMemoryArchive, StoredSession

LONG_POLL_S = 0.2
NO_FILES = Path("/no/recordings")
WINDOW = 600


class InMemorySession:
    """One running session. Everything it stores is in `stored`."""

    def __init__(self, stored: StoredSession) -> None:
        self.stored = stored
        self.epoch = 1
        self.connection_id: str | None = None
        self._newest_connection_id = ""
        self.connected = asyncio.Event()
        self.disconnected: asyncio.Queue[str] = asyncio.Queue()
        self.facts: list[Fact] = []
        self.end: EndOfStreams | None = None
        self.batches: list[IngestBatch] = []
        self.push_gate = asyncio.Event()
        self.push_gate.set()
        self.push_came = asyncio.Event()
        self.pushes_under_way = 0
        self.most_pushes_under_way = 0
        self.unavailable_pushes = 0
        """So many pushes to come are stored and then not answered."""
        self.push_error: Exception | None = None
        self.held_events = 1000
        """Durable events that the session still has in memory."""
        self.event_calls = 0
        self.closed = False
        self.leaving = False
        """This incarnation says no more, and another will."""
        self._passing: list[PassingEvent] = []
        self._notices: dict[str, asyncio.Queue[Notice]] = {}
        self._told = asyncio.Event()

    # For tests

    def tell(self, notice: Notice) -> None:
        """Queue a notice for the connection that serves now."""
        assert self.connection_id is not None
        self._notices[self.connection_id].put_nowait(notice)

    def restart(self) -> None:
        """As after a crash of the actor: a new incarnation that knows no connection."""
        self.epoch += 1
        self.connection_id, self._newest_connection_id = None, ""
        self.connected.clear()

    def emit(self, event_type: str, body: JsonObject) -> DurableEvent:
        event = DurableEvent(len(self.stored.events) + 1, event_type, body)
        self.stored.events.append(event)
        self._told.set()
        return event

    def emit_passing(self, key: str, event_type: str, body: JsonObject) -> None:
        self._passing.append(PassingEvent(key, event_type, body))
        self._told.set()

    def complete(self) -> None:
        self.stored.set_status("completed")
        self.emit("status", {"status": "completed", "detail": None})
        if self.connection_id is not None:
            self.tell(Notice("ended", coverage={"streams": []}))
        self.closed = True

    # SessionLink

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        if self.closed:
            return Notice("ended", coverage={"streams": []})
        if connection_id < self._newest_connection_id:
            raise TakenOver("A newer connection serves this session.")
        self._newest_connection_id = connection_id
        if self.connection_id not in (None, connection_id):
            self.tell(Notice("taken_over"))
        self.connection_id = connection_id
        self.connected.set()
        self._notices.setdefault(connection_id, asyncio.Queue())
        for spec in streams:
            self._open(spec)
        positions = tuple(self._position(number) for number in self.stored.streams)
        session_id = self.stored.row.spec.session_id
        return Welcome(session_id, self.epoch, positions, len(self.facts))

    async def open_stream(self, connection_id: str, stream: StreamSpec) -> StreamPosition:
        self._open(stream)
        return self._position(stream.stream)

    async def push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        self.pushes_under_way += 1
        self.most_pushes_under_way = max(self.most_pushes_under_way, self.pushes_under_way)
        self.push_came.set()
        try:
            await self.push_gate.wait()
            return self._push(connection_id, batch)
        finally:
            self.pushes_under_way -= 1

    async def notice(self, connection_id: str) -> Notice:
        if self.connection_id is None:
            raise Unavailable("The session restarts.")
        try:
            async with asyncio.timeout(LONG_POLL_S):
                return await self._notices[connection_id].get()
        except TimeoutError:
            return Notice("idle")

    async def disconnect(self, connection_id: str) -> None:
        self.disconnected.put_nowait(connection_id)
        if self.connection_id == connection_id:
            self.connection_id = None

    async def events(self, cursor: LiveCursor) -> LiveBatch:
        self.event_calls += 1
        if cursor.seq == len(self.stored.events) and cursor.passing == len(self._passing):
            self._told.clear()
            try:
                async with asyncio.timeout(LONG_POLL_S):
                    await self._told.wait()
            except TimeoutError:
                pass
        events = self.stored.events
        missed = cursor.seq < len(events) - self.held_events
        return LiveBatch(
            LiveCursor(cursor.seq if missed else len(events), self.epoch, len(self._passing)),
            durable=() if missed else tuple(events[cursor.seq :]),
            passing=tuple(self._passing[cursor.passing :]),
            missed=missed,
            closed=self.closed or self.leaving,
        )

    # Its judgement

    def _open(self, spec: StreamSpec) -> None:
        known = self.stored.streams.get(spec.stream)
        if known is not None:
            if known.spec.format != spec.format:
                raise BadAudio("A known stream keeps its format.", {"stream": spec.stream})
            return
        self.stored.streams[spec.stream] = StreamRow(spec, 0, 0, None, None)
        self.stored.frames[spec.stream] = []

    def _position(self, stream: int) -> StreamPosition:
        row = self.stored.streams[stream]
        return StreamPosition(stream, row.next_seq, row.next_sample, WINDOW)

    def _push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        if self.connection_id is None:
            raise Unavailable("The session restarts.")
        if self.connection_id != connection_id:
            raise TakenOver("A newer connection serves this session.")
        if self.push_error is not None:
            raise self.push_error
        self.batches.append(batch)
        nacks: dict[int, int] = {}
        error: OrchestrationError | None = None
        for item in batch.items:
            try:
                self._take(item, nacks)
            except OrchestrationError as refused:
                error = refused
                break
        if self.unavailable_pushes:
            self.unavailable_pushes -= 1
            self.restart()
            raise Unavailable("The session restarts.")
        self._complete_if_all_came()
        acks = tuple(
            StreamAck(number, row.next_seq - 1, WINDOW)
            for number, row in self.stored.streams.items()
        )
        return IngestReply(acks, len(self.facts) - 1, tuple(nacks.items()), error)

    def _take(self, item: AudioFrame | Fact | EndOfStreams, nacks: dict[int, int]) -> None:
        if isinstance(item, EndOfStreams):
            self.end = item
        elif isinstance(item, AudioFrame):
            self._take_frame(item, nacks)
        elif item.fact == len(self.facts):
            self.facts.append(item)

    def _take_frame(self, frame: AudioFrame, nacks: dict[int, int]) -> None:
        row = self.stored.streams[frame.stream]
        if self.end is not None and frame.seq > dict(self.end.last_seq_by_stream)[frame.stream]:
            raise FramesAfterEnd("The stream has ended.", {"stream": frame.stream})
        content = hashlib.sha256(frame.payload).digest()[:16]
        if frame.seq < row.next_seq:
            if self.stored.frames[frame.stream][frame.seq].content_hash != content:
                raise FrameConflict("Two frames under one seq.", {"seq": frame.seq})
        elif frame.seq > row.next_seq:
            nacks.setdefault(frame.stream, row.next_seq)
        else:
            samples = len(frame.payload) // row.spec.format.sample_bytes
            journaled = JournalFrame(
                frame.stream, frame.seq, frame.first_sample, samples, content, frame.payload
            )
            self.stored.frames[frame.stream].append(journaled)
            self.stored.streams[frame.stream] = replace(
                row, next_seq=frame.seq + 1, next_sample=frame.first_sample + samples
            )

    def _complete_if_all_came(self) -> None:
        if self.end is None or self.closed or self.end.last_fact >= len(self.facts):
            return
        last = dict(self.end.last_seq_by_stream)
        rows = self.stored.streams.items()
        if all(row.next_seq > last.get(number, -1) for number, row in rows):
            self.complete()


class InMemorySessions:
    """The running sessions over an InMemoryArchive."""

    def __init__(self, archive: InMemoryArchive) -> None:
        self.archive = archive
        self.running: dict[str, InMemorySession] = {}
        self.unavailable_links = 0
        self.corrections: list[tuple[str, Correction | None, str]] = []
        self.correct_error: Exception | None = None
        self.report = HealthReport(
            "healthy", (ServiceHealth("database", "healthy", None, 0, 1, 0),), 0, 1, 0
        )
        self.health_gate = asyncio.Event()
        self.health_gate.set()

    async def create(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        row, created = await self.archive.create_session(spec, upload)
        if created:
            stored = self.archive.of(spec.session_id)
            self.running[spec.session_id] = InMemorySession(stored)
        return row, created

    async def link(self, session_id: str) -> SessionLink | None:
        if self.unavailable_links:
            self.unavailable_links -= 1
            raise Unavailable("The coordinator restarts.")
        row = await self.archive.session(session_id)
        return None if row.status in ("completed", "failed") else self.running[session_id]

    async def end(self, session_id: str) -> SessionRow:
        stored = self.archive.of(session_id)
        if stored.row.status not in ("completed", "failed"):
            stored.set_status("ending")
        return stored.row

    async def configure(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        if self.archive.of(session_id).row.status in ("completed", "failed"):
            raise SessionEnded("The session has ended.", {"session_id": session_id})
        return await self.archive.configure_session(session_id, change)

    async def repair(self, session_id: str) -> int:
        self.archive.of(session_id)
        return 0

    async def correct(
        self, session_id: str, correction: Correction | None, corrected_by: str = CORRECTED_BY
    ) -> int:
        self.archive.of(session_id)
        if self.correct_error is not None:
            raise self.correct_error
        self.corrections.append((session_id, correction, corrected_by))
        return 1

    async def delete(self, session_id: str) -> ErasureReceipt:
        receipt = await Erasing(self.archive, ChunkFileStore(NO_FILES)).session(session_id)
        session = self.running.pop(session_id, None)
        if session is not None:
            session.closed = True
        return receipt

    async def erase_person(self, person: Person, audio: PersonAudio) -> ErasureReceipt:
        return await Erasing(self.archive, ChunkFileStore(NO_FILES)).person(person, audio)

    async def health(self) -> HealthReport:
        await self.health_gate.wait()
        return self.report
