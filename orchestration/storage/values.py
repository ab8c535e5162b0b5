"""The rows of a session, as its journal is given them and its archive gives them back.

Session times are nanoseconds since the session's first sample; sample counts are per channel on
the stream's own clock.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

from orchestration.json_types import JsonObject
from orchestration.services.ports import AudioQuality
from orchestration.session.events import TranslatedText
from orchestration.session.inputs import ParticipantRef, StreamSpec
from orchestration.session.status import SessionStatus
from orchestration.timing.stream_clock import ClockChange, ClockEstimate
from orchestration.timing.stream_timeline import TimelinePiece
from orchestration.transcript.segments import CorrelationType, Segment, SpeakerName


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a session is created with."""

    session_id: str
    meeting_id: str | None = None
    title: str | None = None
    language: str | None = None
    target_languages: tuple[str, ...] = ()
    settings: JsonObject = field(default_factory=dict)

    @property
    def description_hash(self) -> bytes:
        """What tells the same description of a session from another."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


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
    """How far a stream has come: durations and fates in samples, of the same size however long the
    meeting is.

    `frontier` is the sample up to which words are final; on recovery audio from there is heard
    again. Every sample before it has its fate: `transcribed_to_frontier` of them are transcribed,
    some are lost, and the rest is silent. `offset_ns` places the stream's sample 0 on the session's
    timeline.
    """

    stream: int
    offset_ns: int | None
    duration: int
    frontier: int
    transcribed: int
    silent: int
    transcribed_to_frontier: int


@dataclass(frozen=True, slots=True)
class LossChange:
    """What is `lost` of a stream's samples `start` to `end`, in place of all that was stored of
    them. The stretch has whole ranges only, both before the change and after it."""

    stream: int
    start: int
    end: int
    lost: tuple[SampleRange, ...]


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream as stored. `next_seq` and `next_sample` follow the last journaled frame; `lost` is
    in order of start."""

    spec: StreamSpec
    next_seq: int
    next_sample: int
    last_seq: int | None
    progress: StreamProgress | None
    lost: tuple[SampleRange, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalFrame:
    """One frame as journaled. `content_hash` is 16 bytes over first_sample and payload.

    `received_ns` is when it reached the service, in Unix nanoseconds; None of older journals.
    """

    stream: int
    seq: int
    first_sample: int
    sample_count: int
    content_hash: bytes
    payload: bytes
    received_ns: int | None = None


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
