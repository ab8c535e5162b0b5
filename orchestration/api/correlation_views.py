"""Whose lines and voices are, why, and how well all are named. Seconds of session time."""

from collections.abc import Sequence

from pydantic import BaseModel, JsonValue

from orchestration.session.events import iso_utc, seconds
from orchestration.storage.speaker_ports import MethodFigures, StoredCorrelation
from orchestration.transcript.segments import TYPE_OF_METHOD, CorrelationType, SpeakerMethod


class MethodView(BaseModel):
    """What one method named; `confidence` is a mean, `sure` the lines of 0.7 or more."""

    method: SpeakerMethod
    type: CorrelationType
    segments: int
    words: int
    speaking_seconds: float
    confidence: float
    sure: int


class CorrelationStatisticsView(BaseModel):
    """How well a session's lines are named; null where there are none.

    `coverage` is the share of words with a name, `identified` with that of a person rather than
    "Speaker A". `success_rate` is the share of lines named with a confidence of 0.7 or more.
    """

    segments: int
    named_segments: int
    coverage: float | None
    identified: float | None
    mean_confidence: float | None
    success_rate: float | None
    by_method: dict[SpeakerMethod, MethodView]


class CorrelationView(BaseModel):
    """Whose a line is, or a voice (then `segment_id` and the times are null), and why."""

    correlation_id: str
    session_id: str
    segment_id: str | None
    whisper_speaker_id: str | None
    google_meet_speaker_id: str | None
    google_meet_speaker_name: str | None
    external_speaker_id: str
    external_speaker_name: str
    correlation_confidence: float
    correlation_type: CorrelationType
    correlation_method: SpeakerMethod
    start_timestamp: float | None
    end_timestamp: float | None
    timing_offset: float
    correlation_metadata: dict[str, JsonValue]
    created_at: str


class CorrelationsView(BaseModel):
    """Voices, then lines in order of start; `next_cursor` asks for the following ones."""

    session_id: str
    items: list[CorrelationView]
    next_cursor: str | None
    statistics: CorrelationStatisticsView


def statistics_view(figures: Sequence[MethodFigures]) -> CorrelationStatisticsView:
    named = [one for one in figures if one.method is not None]
    lines = sum(one.segments for one in figures)
    named_lines = sum(one.segments for one in named)
    words = sum(one.words for one in figures)
    confidence = sum((one.confidence or 0.0) * one.segments for one in named)
    known_words = sum(one.words for one in named if one.method != "fallback")
    return CorrelationStatisticsView(
        segments=lines,
        named_segments=named_lines,
        coverage=share(sum(one.words for one in named), words),
        identified=share(known_words, words),
        mean_confidence=share(confidence, named_lines),
        success_rate=share(sum(one.sure for one in named), lines),
        by_method={one.method: method_view(one) for one in named if one.method is not None},
    )


def correlation_view(session_id: str, stored: StoredCorrelation) -> CorrelationView:
    is_google = stored.google_id is not None
    is_voice = stored.segment_id is None
    return CorrelationView(
        correlation_id=stored.correlation_id,
        session_id=session_id,
        segment_id=stored.segment_id,
        whisper_speaker_id=stored.label or (stored.source if is_voice else None),
        google_meet_speaker_id=stored.google_id,
        google_meet_speaker_name=stored.speaker_name if is_google else None,
        external_speaker_id=stored.speaker_id,
        external_speaker_name=stored.speaker_name,
        correlation_confidence=round(stored.confidence, 4),
        correlation_type=stored.kind,
        correlation_method=stored.method,
        start_timestamp=None if stored.start_ns is None else seconds(stored.start_ns),
        end_timestamp=None if stored.end_ns is None else seconds(stored.end_ns),
        timing_offset=seconds(stored.offset_ns),
        correlation_metadata=stored.evidence,
        created_at=iso_utc(round(stored.at.timestamp() * 1000)),
    )


def method_view(figures: MethodFigures) -> MethodView:
    assert figures.method is not None
    return MethodView(
        method=figures.method,
        type=TYPE_OF_METHOD[figures.method],
        segments=figures.segments,
        words=figures.words,
        speaking_seconds=seconds(figures.speaking_ns),
        confidence=round(figures.confidence or 0.0, 4),
        sure=figures.sure,
    )


def share(part: float, whole: int) -> float | None:
    """To four places; None of nothing."""
    return round(part / whole, 4) if whole else None
