"""The Archive port in memory, for tests of what stands before it."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from orchestration.errors import RepeatUnderWay, SessionConflict, SessionEnded, UnknownSession
from orchestration.session.events import DurableEvent
from orchestration.session.status import TERMINAL, SessionStatus
from orchestration.storage.archive_ports import (
    Page,
    QualitySummary,
    SessionStatistics,
    Snapshot,
    StoredSegment,
)
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import (
    JournalFrame,
    ParticipantRow,
    RecordedFile,
    SessionRow,
    SessionSpec,
    StreamRow,
)
from tests.doubles.in_memory_alerts import InMemoryAlertLog
from tests.doubles.in_memory_data import InMemoryData, StoredData, page_of
from tests.doubles.in_memory_erasures import InMemoryErasures
from tests.doubles.in_memory_speakers import InMemorySpeakers, SpokenSession
from tests.doubles.in_memory_timing import InMemoryTiming, StoredTiming


@dataclass
class StoredSession:
    """All that is stored of one session; tests write here directly."""

    row: SessionRow
    idempotency_hash: bytes
    streams: dict[int, StreamRow] = field(default_factory=dict)
    frames: dict[int, list[JournalFrame]] = field(default_factory=dict)
    files: list[RecordedFile] = field(default_factory=list)
    uploads: dict[int, UploadRow] = field(default_factory=dict)
    events: list[DurableEvent] = field(default_factory=list)
    segments: list[StoredSegment] = field(default_factory=list)
    participants: list[ParticipantRow] = field(default_factory=list)
    qualities: list[QualitySummary] = field(default_factory=list)
    data: StoredData = field(default_factory=StoredData)
    timing: StoredTiming = field(default_factory=StoredTiming)
    spoken: SpokenSession = field(default_factory=SpokenSession)

    def set_status(self, status: SessionStatus) -> None:
        ended_at = datetime.now(UTC) if status in ("completed", "failed") else None
        self.row = replace(self.row, status=status, ended_at=ended_at)


class InMemoryArchive(
    InMemoryAlertLog, InMemoryTiming, InMemoryData, InMemoryErasures, InMemorySpeakers
):
    """`outage`, when set, is raised by every reading of sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, StoredSession] = {}
        self.people, self.erased = [], {}
        self.tickets: dict[tuple[bytes, str], datetime] = {}
        self.outage: Exception | None = None
        self.connections = 0

    def of(self, session_id: str) -> StoredSession:
        if self.outage is not None:
            raise self.outage
        if session_id not in self.stored:
            raise UnknownSession(f"No session {session_id}.", {"session_id": session_id})
        return self.stored[session_id]

    async def create_session(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        known = self.stored.get(spec.session_id)
        if known is not None:
            if known.idempotency_hash != spec.description_hash:
                raise SessionConflict(f"Session {spec.session_id} exists.")
            return known.row, False
        now = datetime.now(UTC)
        row = SessionRow(spec, "created", None, now, None, None, None, 0)
        stored = StoredSession(row, spec.description_hash)
        if upload is not None:
            self._note(stored, upload)
        self.stored[spec.session_id] = stored
        return row, True

    async def note_upload(self, upload: UploadRow) -> None:
        self._note(self.of(upload.session_id), upload)

    async def upload(self, session_id: str, stream: int) -> UploadRow | None:
        stored = self.stored.get(session_id)
        return stored.uploads.get(stream) if stored is not None else None

    async def upload_by_key(self, key: str) -> UploadRow | None:
        uploads = (one for stored in self.stored.values() for one in stored.uploads.values())
        return next((one for one in uploads if one.key is not None and one.key.key == key), None)

    async def free_upload_key(self, upload: UploadRow) -> None:
        self.of(upload.session_id).uploads[upload.stream] = replace(upload, key=None)

    def _note(self, stored: StoredSession, upload: UploadRow) -> None:
        keys = [
            one.key.key for of in self.stored.values() for one in of.uploads.values() if one.key
        ]
        if upload.key is not None and upload.key.key in keys:
            raise RepeatUnderWay("The same request is under way already; ask again.")
        stored.uploads[upload.stream] = upload

    async def session(self, session_id: str) -> SessionRow:
        return self.of(session_id).row

    async def new_connection_id(self, session_id: str) -> str:
        self.of(session_id)
        self.connections += 1
        return f"{self.connections:016x}"

    async def sessions(
        self, statuses: Sequence[SessionStatus] | None, limit: int, cursor: str | None
    ) -> Page[SessionRow]:
        rows = [one.row for one in reversed(self.stored.values())]
        wanted = [row for row in rows if statuses is None or row.status in statuses]
        return page_of(wanted, limit, cursor)

    async def configure_session(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        stored = self.of(session_id)
        if stored.row.status in TERMINAL:
            raise SessionEnded("The session has ended.", {"session_id": session_id})
        stored.row = replace(stored.row, spec=change(stored.row.spec))
        return stored.row

    def remove_rows(self, session_id: str) -> Mapping[str, int]:
        self.of(session_id)
        del self.stored[session_id]
        return {"sessions": 1}

    async def snapshot(self, session_id: str, limit: int) -> Snapshot:
        stored = self.of(session_id)
        seq = stored.events[-1].seq if stored.events else 0
        truncated = len(stored.segments) > limit
        return Snapshot(stored.row, seq, tuple(stored.segments[-limit:]), truncated)

    async def segments(self, session_id: str) -> Sequence[StoredSegment]:
        return tuple(self.of(session_id).segments)

    async def segments_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[StoredSegment]:
        within = [
            one
            for one in self.of(session_id).segments
            if one.segment.end_ns > from_ns and one.segment.start_ns < to_ns
        ]
        return page_of(within, limit, cursor)

    async def files_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[RecordedFile]:
        within = [
            file
            for file in self.of(session_id).files
            if file.end_sample * 10**9 // file.sample_rate > from_ns
            and file.first_sample * 10**9 // file.sample_rate < to_ns
        ]
        return page_of(within, limit, cursor)

    async def statistics(self, session_id: str) -> SessionStatistics:
        stored = self.of(session_id)
        words = sum(len(one.segment.words) for one in stored.segments)
        size = sum(file.size_bytes for file in stored.files)
        return SessionStatistics(
            0.0,
            len(stored.participants),
            0,
            len(stored.files),
            0.0,
            size,
            len(stored.segments),
            words,
            0,
            (),
        )

    async def events(self, session_id: str, after: int, limit: int) -> Sequence[DurableEvent]:
        events = self.of(session_id).events
        return [event for event in events if event.seq > after][:limit]

    async def streams(self, session_id: str) -> Sequence[StreamRow]:
        return tuple(self.of(session_id).streams.values())

    async def participants(self, session_id: str) -> Sequence[ParticipantRow]:
        return tuple(self.of(session_id).participants)

    async def qualities(self, session_id: str) -> Sequence[QualitySummary]:
        return tuple(self.of(session_id).qualities)

    async def recording(
        self, session_id: str, stream: int, after_seq: int = -1
    ) -> AsyncIterator[JournalFrame]:
        for frame in self.of(session_id).frames.get(stream, []):
            if frame.seq > after_seq:
                yield frame

    async def recorded_files(self, session_id: str, stream: int) -> Sequence[RecordedFile]:
        return [file for file in self.of(session_id).files if file.stream == stream]

    async def expired_recordings(
        self, ended_before: datetime, look_at: int, cursor: str | None
    ) -> Page[str]:
        found = [
            one.row.spec.session_id
            for one in self.stored.values()
            if one.row.ended_at is not None
            and one.row.ended_at < ended_before
            and (one.files or one.frames)
        ]
        return Page(found, None)

    async def unfiled_sessions(
        self, ended_before: datetime, look_at: int, cursor: str | None
    ) -> Page[str]:
        found = sorted(
            session_id
            for session_id, one in self.stored.items()
            if one.row.ended_at is not None
            and one.row.ended_at < ended_before
            and any(frame.seq == _next_unfiled(one, frame.stream) for frame in _frames_of(one))
        )
        return Page(found, None)

    async def forget_recording(self, session_id: str) -> None:
        stored = self.of(session_id)
        stored.files, stored.frames = [], {}

    def data_of(self, session_id: str) -> StoredData:
        return self.of(session_id).data

    def lines_of(self, session_id: str) -> Sequence[StoredSegment]:
        return self.of(session_id).segments

    def people_of(self, session_id: str) -> Sequence[ParticipantRow]:
        return self.of(session_id).participants

    def events_of(self, session_id: str) -> Sequence[DurableEvent]:
        return self.of(session_id).events

    def session_rows(self) -> Iterable[SessionRow]:
        return [one.row for one in self.stored.values()]

    def timing_of(self, session_id: str) -> StoredTiming:
        return self.of(session_id).timing

    def spoken_of(self, session_id: str) -> SpokenSession:
        return self.of(session_id).spoken

    def timings(self) -> Iterable[StoredTiming]:
        return [one.timing for one in self.stored.values()]

    async def store_ticket(self, ticket_hash: bytes, kind: str, expires_at: datetime) -> None:
        self.tickets[ticket_hash, kind] = expires_at

    async def redeem_ticket(self, ticket_hash: bytes, kind: str, now: datetime, keep: bool) -> bool:
        expires_at = self.tickets.get((ticket_hash, kind))
        if not keep:
            self.tickets.pop((ticket_hash, kind), None)
        return expires_at is not None and now < expires_at

    async def ping(self) -> int:
        return 0


def _frames_of(stored: StoredSession) -> list[JournalFrame]:
    return [frame for frames in stored.frames.values() for frame in frames]


def _next_unfiled(stored: StoredSession, stream: int) -> int:
    return max((one.last_seq + 1 for one in stored.files if one.stream == stream), default=0)
