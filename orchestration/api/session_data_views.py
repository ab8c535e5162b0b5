"""What the routes of a session's stored data answer, and how rows become it."""

from typing import Literal

from pydantic import BaseModel, JsonValue

from orchestration.api.transcripts import SegmentView
from orchestration.session.events import iso_utc, seconds
from orchestration.storage.data_ports import StoredChunk, StoredTranslation
from orchestration.storage.speaker_ports import StoredCorrelation
from orchestration.storage.values import ParticipantRow, RecordedFile


class AudioFileView(BaseModel):
    """A recorded file; seconds on its stream's own clock."""

    file_name: str
    stream: int
    start: float
    end: float
    first_sample: int
    end_sample: int
    sample_rate: int
    channels: int
    file_size: int
    sha256: str


class AudioFilePage(BaseModel):
    """Recorded files in order of stream and time; `next_cursor` asks for the following ones."""

    items: list[AudioFileView]
    next_cursor: str | None


class SegmentPage(BaseModel):
    """Final segments in order of start; `next_cursor` asks for the following ones."""

    items: list[SegmentView]
    next_cursor: str | None


class ChunkQualityView(BaseModel):
    """How good a chunk's audio was; `score` is 0 to 1."""

    score: float
    rms_dbfs: float
    snr_db: float
    speech_ratio: float
    clipped_ratio: float


class ChunkView(BaseModel):
    """Audio that was sent to whisper in one piece; seconds of session time.

    `attempts` counts how often it was sent, `latency` is from the last sending to the answer.
    `engine` and `language` are null when it was lost.
    """

    stream: int
    start: float
    end: float
    first_sample: int
    end_sample: int
    outcome: Literal["heard", "lost"]
    engine: str | None
    language: str | None
    words: int
    attempts: int
    latency: float
    answered_at: str
    quality: ChunkQualityView | None


class ChunkPage(BaseModel):
    """Chunks in order of stream and time; `next_cursor` asks for the following ones."""

    items: list[ChunkView]
    next_cursor: str | None


class StoredTranslationView(BaseModel):
    """A final segment's text in another language; seconds of session time."""

    segment_id: str
    stream: int
    start: float
    end: float
    source_language: str
    language: str
    text: str
    state: str
    engine: str


class TranslationPage(BaseModel):
    """Translations in order of their lines' start; `next_cursor` asks for the following ones."""

    items: list[StoredTranslationView]
    next_cursor: str | None


class CorrelationView(BaseModel):
    """Whose a line is, or a voice (then `segment_id` and the times are null), and why; seconds of
    session time."""

    correlation_id: str
    type: str
    method: str
    confidence: float
    timing_offset: float
    speaker_id: str | None
    speaker_name: str | None
    segment_id: str | None
    caption_id: str | None
    start: float | None
    end: float | None
    metadata: dict[str, JsonValue]


class CorrelationPage(BaseModel):
    """Voices, then lines in order of start; `next_cursor` asks for the following ones."""

    items: list[CorrelationView]
    next_cursor: str | None


class ParticipantView(BaseModel):
    """Somebody in the meeting; seconds of session time, null while unknown."""

    id: str
    name: str
    email: str | None
    is_bot: bool
    joined: float | None
    left: float | None


class ParticipantPage(BaseModel):
    """Participants in order of joining; `next_cursor` asks for the following ones."""

    items: list[ParticipantView]
    next_cursor: str | None


def file_view(file: RecordedFile) -> AudioFileView:
    return AudioFileView(
        file_name=file.name,
        stream=file.stream,
        start=file.first_sample / file.sample_rate,
        end=file.end_sample / file.sample_rate,
        first_sample=file.first_sample,
        end_sample=file.end_sample,
        sample_rate=file.sample_rate,
        channels=file.channels,
        file_size=file.size_bytes,
        sha256=file.sha256,
    )


def chunk_view(stored: StoredChunk) -> ChunkView:
    chunk, quality = stored.chunk, stored.quality
    return ChunkView(
        stream=chunk.stream,
        start=seconds(stored.start_ns),
        end=seconds(stored.end_ns),
        first_sample=chunk.start,
        end_sample=chunk.end,
        outcome=chunk.outcome,
        engine=chunk.engine or None,
        language=chunk.language or None,
        words=chunk.words,
        attempts=chunk.attempts,
        latency=chunk.latency_ms / 1000,
        answered_at=iso_utc(int(stored.answered_at.timestamp() * 1000)),
        quality=quality
        and ChunkQualityView(
            score=round(quality.score, 3),
            rms_dbfs=round(quality.rms_dbfs, 1),
            snr_db=round(quality.snr_db, 1),
            speech_ratio=round(quality.speech_ratio, 3),
            clipped_ratio=round(quality.clipped_ratio, 5),
        ),
    )


def translation_view(stored: StoredTranslation) -> StoredTranslationView:
    return StoredTranslationView(
        segment_id=stored.segment_id,
        stream=stored.stream,
        start=seconds(stored.start_ns),
        end=seconds(stored.end_ns),
        source_language=stored.source_language,
        language=stored.translation.language,
        text=stored.translation.text,
        state=stored.translation.state,
        engine=stored.engine,
    )


def correlation_view(stored: StoredCorrelation) -> CorrelationView:
    return CorrelationView(
        correlation_id=stored.correlation_id,
        type=stored.kind,
        method=stored.method,
        confidence=round(stored.confidence, 3),
        timing_offset=seconds(stored.offset_ns),
        speaker_id=stored.speaker_id,
        speaker_name=stored.speaker_name,
        segment_id=stored.segment_id,
        caption_id=stored.caption_id,
        start=None if stored.start_ns is None else seconds(stored.start_ns),
        end=None if stored.end_ns is None else seconds(stored.end_ns),
        metadata=stored.evidence,
    )


def participant_view(row: ParticipantRow) -> ParticipantView:
    return ParticipantView(
        id=row.participant.participant_id,
        name=row.participant.name,
        email=row.participant.email,
        is_bot=row.participant.is_bot,
        joined=None if row.joined_ns is None else seconds(row.joined_ns),
        left=None if row.left_ns is None else seconds(row.left_ns),
    )
