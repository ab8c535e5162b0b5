"""What one session actor writes, and what it finds when it takes a session."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

from orchestration.json_types import JsonObject
from orchestration.session.events import DurableEvent
from orchestration.session.inputs import StreamSpec
from orchestration.session.status import SessionStatus
from orchestration.speakers.label_names import LabelName
from orchestration.storage.values import (
    ChunkRow,
    ClockChangeRow,
    CorrectionRow,
    CorrelationRow,
    JournalFact,
    JournalFrame,
    LossChange,
    ParticipantRow,
    QualityRow,
    RecordedFile,
    SessionRow,
    SessionSpec,
    SpeakerIntervalRow,
    StreamClockRow,
    StreamProgress,
    StreamRow,
    TimelineRow,
    TranslationRow,
)
from orchestration.transcript.segments import Segment


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
    losses: Sequence[LossChange] = ()
    """What is new of lost samples: of one stream stretches that do not touch."""
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
        return not any(getattr(self, one.name) for one in fields(self))


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
    recent_segments: Sequence[Segment] = ()
    """Each stream's last final segments, in order: the words that a seam is stitched to."""
    last_fact: int | None = None
    """The last fact there will be, once the sender has said that the session ends."""
    facts_told: int = 0
    """Facts before this number have had their effect; later ones are to be told."""
    repaintable: Sequence[Segment] = ()
    """The session's newest final segments, in order: those whose names may change still."""
    corrections: Sequence[JsonObject] = ()
    """What people said about who spoke, in order."""
    voices: Mapping[str, LabelName] = field(default_factory=dict)
    """Names that the labels of these segments have."""
    clocks: Mapping[int, StreamClockRow] = field(default_factory=dict)
    """What is known of the streams' clocks."""
    timeline: Sequence[TimelineRow] = field(default_factory=list)
    """The last pieces of the streams' timelines, in order of stream and sample."""
    participants: Sequence[ParticipantRow] = ()
    """Everybody known so far: not all of them come from facts."""
    is_upload: bool = False
    """Whether the session was made for a file that was uploaded."""
    has_untold_languages: bool = False
    """Whether viewers may not have been told of the session's languages, because an incarnation
    died when they were changed."""


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
        self, session_id: str, epoch: int, last_seq_by_stream: Mapping[int, int], last_fact: int
    ) -> None:
        """Store where the sender said that its streams and its facts end, -1 for none."""
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

    async def untranslated(
        self, session_id: str, after: tuple[int, int, str, str] | None, limit: int
    ) -> Sequence[tuple[Segment, str]]:
        """Final segments, each with a target language whose translation is not stored, in order of
        start, stream, id and language, after these of another one."""
        ...

    async def segments_of(
        self,
        session_id: str,
        speaker_ids: Sequence[str],
        after: tuple[int, str] | None,
        limit: int,
    ) -> Sequence[Segment]:
        """Final segments of these speakers in order of start and id, after the start and id of
        another one."""
        ...

    async def description(self, session_id: str) -> SessionSpec:
        """The session's description as it is stored now."""
        ...

    def facts(self, session_id: str) -> AsyncIterator[JournalFact]:
        """All journaled facts, in order."""
        ...

    async def recent_hashes(self, session_id: str, limit: int) -> Mapping[tuple[int, int], bytes]:
        """Content hashes of each stream's last `limit` frames, by (stream, seq)."""
        ...
