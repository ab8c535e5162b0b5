"""What the service needs of its database: the ports and their rows.

`SessionJournal` is what one session actor writes; `Archive` is what the edge and the coordinator
read and manage. Session times are nanoseconds since the session's first sample; sample counts are
per channel on the stream's own clock.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar

from orchestration.errors import JsonObject
from orchestration.services.ports import AudioQuality
from orchestration.session.events import DurableEvent, TranslatedText
from orchestration.session.inputs import ParticipantRef, StreamSpec
from orchestration.session.status import SessionStatus
from orchestration.storage.alert_ports import AlertLog
from orchestration.storage.speaker_ports import SpeakerArchive
from orchestration.storage.timing_ports import TimingArchive
from orchestration.timing.stream_clock import ClockChange, ClockEstimate
from orchestration.timing.stream_timeline import TimelinePiece
from orchestration.transcript.segments import CorrelationType, Segment, SpeakerName

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a session is created with."""

    session_id: str
    meeting_id: str | None = None
    title: str | None = None
    language: str | None = None
    target_languages: tuple[str, ...] = ()
    settings: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as stored. `zero_unix_ms` is the wall clock at session time zero, once known."""

    spec: SessionSpec
    status: SessionStatus
    status_detail: str | None
    created_at: datetime
    ended_at: datetime | None
    zero_unix_ms: int | None
    actor_name: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class SampleRange:
    """Samples `start` to `end`, half open, with why they are lost (`reason`), when they are."""

    start: int
    end: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """How far a stream has come: durations and fates in samples.

    `frontier` is the sample up to which words are final; on recovery audio from there is heard
    again. `offset_ns` places the stream's sample 0 on the session's timeline.
    """

    stream: int
    offset_ns: int | None
    duration: int
    frontier: int
    transcribed: tuple[SampleRange, ...]
    silent: tuple[SampleRange, ...]
    lost: tuple[SampleRange, ...]


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as stored. `next_seq` and `next_sample` follow the last journaled frame."""

    spec: StreamSpec
    next_seq: int
    next_sample: int
    last_seq: int | None
    progress: StreamProgress | None


@dataclass(frozen=True, slots=True)
class JournalFrame:
    """One frame as journaled. `content_hash` is 16 bytes over first_sample and payload."""

    stream: int
    seq: int
    first_sample: int
    sample_count: int
    content_hash: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """Consecutive frames of a stream in one FLAC file; capture gaps among them are silence in it.

    `sha256` is of the file's bytes, in hexadecimal.
    """

    session_id: str
    stream: int
    first_seq: int
    last_seq: int
    first_sample: int
    end_sample: int
    sample_rate: int
    channels: int
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in its session's folder; names are in order of time."""
        return f"{self.stream:05d}-{self.first_sample:015d}-{self.end_sample:015d}.flac"


@dataclass(frozen=True, slots=True)
class JournalFact:
    """One numbered fact in its wire form."""

    number: int
    body: JsonObject


@dataclass(frozen=True, slots=True)
class ParticipantRow:
    """A person seen in the session; times are session time, absent while unknown."""

    participant: ParticipantRef
    joined_ns: int | None
    left_ns: int | None


@dataclass(frozen=True, slots=True)
class SpeakerIntervalRow:
    """The platform's word that somebody spoke; `end_ns` is absent while they still do."""

    participant_id: str
    name: str
    start_ns: int
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class TranslationRow:
    """One segment's translation."""

    segment_id: str
    source_language: str
    translation: TranslatedText
    engine: str


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """What somebody said about who spoke, numbered from 0; see `speakers.corrections`."""

    number: int
    body: JsonObject
    corrected_by: str
    repainted: int
    """Segments that had another name by it."""


@dataclass(frozen=True, slots=True)
class CorrelationRow:
    """Whose a voice is: `source` is a diarization label or another speaker id; or whose a line is:
    then it is the line's id, and `segment` the line.

    `lag_ns` is how far the platform's events are behind the voices; `evidence` says how much there
    is, for people.
    """

    source: str
    speaker: SpeakerName
    kind: CorrelationType
    lag_ns: int
    evidence: JsonObject
    segment: Segment | None = None


@dataclass(frozen=True, slots=True)
class QualityRow:
    """The quality of samples `start` to `end` of a stream, as whisper got them."""

    stream: int
    start: int
    end: int
    quality: AudioQuality


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """What became of samples `start` to `end` of a stream, sent to whisper in one piece.

    `attempts` counts how often that was; `latency_ms` is from the last sending to the answer. A
    chunk that was lost has no `engine`, no `language` and no words.
    """

    stream: int
    start: int
    end: int
    outcome: Literal["heard", "lost"]
    engine: str
    language: str
    words: int
    attempts: int
    latency_ms: int


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
class StreamClockRow:
    """What is known of a stream's clock when it is at `at_sample`."""

    stream: int
    at_sample: int
    estimate: ClockEstimate


@dataclass(frozen=True, slots=True)
class ClockChangeRow:
    """A step of a stream's samples, path or sender's clock."""

    stream: int
    change: ClockChange


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """Where a stream lies on the session's timeline from a sample on."""

    stream: int
    piece: TimelinePiece


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
class SessionChanges:
    """All that one step of a session changes; stored in one transaction, or not at all."""

    events: Sequence[DurableEvent] = ()
    segments: Sequence[Segment] = ()
    translations: Sequence[TranslationRow] = ()
    participants: Sequence[ParticipantRow] = ()
    speaker_intervals: Sequence[SpeakerIntervalRow] = ()
    corrections: Sequence[CorrectionRow] = ()
    correlations: Sequence[CorrelationRow] = ()
    streams: Sequence[StreamProgress] = ()
    qualities: Sequence[QualityRow] = ()
    clocks: Sequence[StreamClockRow] = ()
    clock_changes: Sequence[ClockChangeRow] = ()
    timeline: Sequence[TimelineRow] = ()
    chunks: Sequence[ChunkRow] = ()
    status: SessionStatus | None = None
    status_detail: str | None = None
    zero_unix_ms: int | None = None
    facts_told: int | None = None
    """Facts before this number have had their effect with these changes."""

    def is_empty(self) -> bool:
        return not (
            self.events
            or self.segments
            or self.translations
            or self.participants
            or self.speaker_intervals
            or self.corrections
            or self.correlations
            or self.streams
            or self.qualities
            or self.clocks
            or self.clock_changes
            or self.timeline
            or self.chunks
            or self.status
            or self.zero_unix_ms
            or self.facts_told
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """What an actor incarnation finds when it takes a session: everything to go on from."""

    session: SessionRow
    epoch: int
    streams: Sequence[StreamRow]
    last_event_seq: int
    next_fact: int
    segment_counts: Mapping[int, int]
    """Final segments stored so far, by stream."""
    untranslated: Sequence[tuple[Segment, str]]
    """Final segments with a target language whose translation is not stored."""
    recent_segments: Sequence[Segment] = ()
    """Each stream's last final segments, in order: the words that a seam is stitched to."""
    facts_told: int = 0
    """Facts before this number have had their effect; later ones are to be told."""
    repaintable: Sequence[Segment] = ()
    """The session's newest final segments, in order: those whose names may change still."""
    corrections: Sequence[JsonObject] = ()
    """What people said about who spoke, in order."""
    clocks: Mapping[int, StreamClockRow] = field(default_factory=dict)
    """What is known of the streams' clocks."""
    timeline: Sequence[TimelineRow] = field(default_factory=list)
    """The last pieces of the streams' timelines, in order of stream and sample."""
    participants: Sequence[ParticipantRow] = ()
    """Everybody known so far: not all of them come from facts."""


class SessionJournal(Protocol):
    """One session actor's writes. Every write checks the epoch.

    Raises:
        Fenced: a newer incarnation has claimed the session.
        UnknownSession: the session is deleted.
        DatabaseUnavailable: PostgreSQL does not answer; nothing is known to be stored.
    """

    async def claim(self, session_id: str, actor_name: str) -> Claim:
        """Take the session: raises its epoch, so that older incarnations' writes are refused."""
        ...

    async def claimed_by(self, actor_name: str) -> str | None:
        """The open session this actor name holds, for an actor that restarts."""
        ...

    async def open_streams(self, session_id: str, epoch: int, specs: Sequence[StreamSpec]) -> None:
        """Store new streams; known ones stay as they are."""
        ...

    async def append(
        self,
        session_id: str,
        epoch: int,
        frames: Sequence[JournalFrame],
        facts: Sequence[JournalFact],
    ) -> None:
        """Journal frames and facts durably, each once however often it is sent."""
        ...

    async def end_streams(
        self, session_id: str, epoch: int, last_seq_by_stream: Mapping[int, int]
    ) -> None:
        """Store where the sender said its streams end."""
        ...

    async def commit(self, session_id: str, epoch: int, changes: SessionChanges) -> None:
        """Store one step's changes in one transaction."""
        ...

    def frames_from(self, session_id: str, stream: int, sample: int) -> AsyncIterator[JournalFrame]:
        """Journaled frames of a stream that end after `sample`, in order of seq."""
        ...

    def frames_after(self, session_id: str, stream: int, seq: int) -> AsyncIterator[JournalFrame]:
        """Journaled frames of a stream after `seq`, in order of seq."""
        ...

    async def last_files(self, session_id: str) -> Mapping[int, RecordedFile]:
        """The last recorded file of each stream that has one."""
        ...

    async def add_file(self, session_id: str, epoch: int, file: RecordedFile) -> None:
        """Store that a file is there and durable; one that is known stays as it is."""
        ...

    async def shrink(
        self,
        session_id: str,
        epoch: int,
        stream: int,
        *,
        lead_samples: int,
        keep_frames: int,
        max_frames: int,
        only_filed: bool,
    ) -> int:
        """Remove a stream's oldest frames, at most `max_frames`; returns how many went.

        Only those go that end `lead_samples` before the stored frontier, are not among the newest
        `keep_frames` (their hashes tell repeats, and the newest one says where the stream is: keep
        one at least), and, with `only_filed`, are in a recorded file.
        """
        ...

    async def final_segments(self, session_id: str) -> Sequence[Segment]:
        """All final segments in order of start."""
        ...

    async def facts(self, session_id: str) -> Sequence[JournalFact]:
        """All journaled facts, in order."""
        ...

    async def recent_hashes(self, session_id: str, limit: int) -> Mapping[tuple[int, int], bytes]:
        """Content hashes of each stream's last `limit` frames, by (stream, seq)."""
        ...


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


class Archive(AlertLog, TimingArchive, SpeakerArchive, Protocol):
    """Reading and managing sessions, and what was told of the service. All raise
    DatabaseUnavailable when PostgreSQL is away; those that name a session raise UnknownSession."""

    async def create_session(
        self, spec: SessionSpec, idempotency_hash: bytes
    ) -> tuple[SessionRow, bool]:
        """Store a session, or find the same one again (False).

        Raises:
            SessionConflict: the id exists with another `idempotency_hash`.
        """
        ...

    async def session(self, session_id: str) -> SessionRow: ...

    async def sessions(
        self, statuses: Sequence[SessionStatus] | None, limit: int, cursor: str | None
    ) -> Page[SessionRow]:
        """Newest first."""
        ...

    async def assign_actor(self, session_id: str, actor_name: str | None) -> None: ...

    async def set_session_settings(self, session_id: str, settings: JsonObject) -> SessionRow:
        """Replace the session's own settings."""
        ...

    async def delete_session(self, session_id: str) -> Mapping[str, int]:
        """Remove every row of a session; returns the number removed by table."""
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

    async def expired_recordings(self, ended_before: datetime, limit: int) -> Sequence[str]:
        """Sessions that ended before then and have audio still, in files or journal."""
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
