"""What the edge and the coordinator read and manage."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from orchestration.session.events import DurableEvent, TranslatedText
from orchestration.session.status import SessionStatus
from orchestration.storage.alert_ports import AlertLog
from orchestration.storage.speaker_ports import SpeakerArchive
from orchestration.storage.timing_ports import TimingArchive
from orchestration.storage.upload_ports import UploadArchive, UploadRow
from orchestration.storage.values import (
    ClockChangeRow,
    JournalFrame,
    ParticipantRow,
    RecordedFile,
    SessionRow,
    SessionSpec,
    StreamClockRow,
    StreamRow,
)
from orchestration.transcript.segments import Segment

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class QualitySummary:
    """One stream's chunks: how many, and the means of their figures."""

    stream: int
    chunks: int
    score: float
    snr_db: float
    speech_ratio: float
    rms_dbfs: float
    clipped_ratio: float


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """A session's figures: seconds, bytes and counts of what is stored, and what is known of its
    streams' clocks."""

    duration_s: float
    participants: int
    speakers: int
    audio_files: int
    recorded_s: float
    recorded_bytes: int
    segments: int
    words: int
    translations: int
    translation_languages: tuple[str, ...]
    clocks: tuple[StreamClockRow, ...] = ()
    clock_changes: tuple[ClockChangeRow, ...] = ()
    """The last 100."""


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A final segment with its translations."""

    segment: Segment
    translations: tuple[TranslatedText, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent view of a session: `seq` is the last durable event it includes."""

    session: SessionRow
    seq: int
    segments: Sequence[StoredSegment]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and where the next page starts, if there is one."""

    items: Sequence[Row]
    next_cursor: str | None


class Archive(AlertLog, TimingArchive, SpeakerArchive, UploadArchive, Protocol):
    """Reading and managing sessions, and what was told of the service. All raise
    DatabaseUnavailable when PostgreSQL is away; those that name a session raise UnknownSession."""

    async def create_session(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        """Store a session, or find the same one again (False); with the file that it is made for,
        both or neither.

        Raises:
            SessionConflict: the id exists with another description.
            RepeatUnderWay: the file's key is another file's.
        """
        ...

    async def session(self, session_id: str) -> SessionRow: ...

    async def new_connection_id(self, session_id: str) -> str:
        """The id of a sender that has just come to a session: above that of every earlier one, by
        whichever replica it came, as strings go."""
        ...

    async def sessions(
        self, statuses: Sequence[SessionStatus] | None, limit: int, cursor: str | None
    ) -> Page[SessionRow]:
        """Newest first."""
        ...

    async def configure_session(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        """Give the session the settings of its own and the languages that `change` makes of its
        description. Changes at once follow each other; what `change` raises changes nothing.

        Raises:
            SessionEnded: the session is over, and nobody would work by the change.
        """
        ...

    async def snapshot(self, session_id: str, limit: int) -> Snapshot:
        """The last `limit` final segments and the event number they stand at."""
        ...

    async def segments(self, session_id: str) -> Sequence[StoredSegment]:
        """All final segments in order of start."""
        ...

    async def segments_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[StoredSegment]:
        """Final segments that overlap a range of session time, in order of start.

        Raises:
            BadRequest: the cursor is not one that was given.
        """
        ...

    async def files_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[RecordedFile]:
        """Recorded files that overlap a range of session time, in order of stream and time.

        Raises:
            BadRequest: the cursor is not one that was given.
        """
        ...

    async def statistics(self, session_id: str) -> SessionStatistics: ...

    async def events(self, session_id: str, after: int, limit: int) -> Sequence[DurableEvent]: ...

    async def streams(self, session_id: str) -> Sequence[StreamRow]: ...

    async def participants(self, session_id: str) -> Sequence[ParticipantRow]: ...

    async def qualities(self, session_id: str) -> Sequence[QualitySummary]:
        """How good the audio of each stream was, in order of stream."""
        ...

    def recording(
        self, session_id: str, stream: int, after_seq: int = -1
    ) -> AsyncIterator[JournalFrame]:
        """The stream's frames that are journaled still, in order of seq."""
        ...

    async def recorded_files(self, session_id: str, stream: int) -> Sequence[RecordedFile]:
        """The stream's files in order of time."""
        ...

    async def expired_recordings(
        self, ended_before: datetime, look_at: int, cursor: str | None
    ) -> Page[str]:
        """Sessions that ended before then and have audio still, in files or journal: of the next
        `look_at` sessions that ended before, so that there may be none, and more behind them."""
        ...

    async def unfiled_sessions(
        self, ended_before: datetime, look_at: int, cursor: str | None
    ) -> Page[str]:
        """Sessions that ended before, with journaled audio that follows their files, or that is
        from a stream's beginning and in none: of the next `look_at` sessions that there are."""
        ...

    async def forget_recording(self, session_id: str) -> None:
        """Remove the rows of a session's audio: its files' and its journal's."""
        ...

    async def store_ticket(self, ticket_hash: bytes, kind: str, expires_at: datetime) -> None: ...

    async def redeem_ticket(self, ticket_hash: bytes, kind: str, now: datetime, keep: bool) -> bool:
        """Whether such a ticket is valid; it is used up unless `keep`."""
        ...

    async def ping(self) -> int:
        """Round trip to PostgreSQL in milliseconds."""
        ...
