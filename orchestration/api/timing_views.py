"""What `/api/audio/timing` answers with. Seconds of session time; offsets positive when late."""

from collections.abc import Sequence

from pydantic import BaseModel

from orchestration.session.events import iso_utc
from orchestration.storage.timing_ports import (
    AppliedCorrection,
    RelatedRow,
    TimedRow,
    TimingStatistics,
)
from orchestration.timing.alignment import (
    MOVABLE,
    Accuracy,
    Source,
    SourceMeasure,
    TimeWindow,
    accuracy_of,
    match_confidence,
)


class TimeRangeView(BaseModel):
    """The window asked for; `end` is null when none was given."""

    start: float
    end: float | None


class SourceTimingView(BaseModel):
    """How a source stands to the session's clock.

    `timing_offset` is the median of the pairs that agree, before the correction; null when too
    few agree. `remaining_offset` is what the correction leaves, and `accuracy` its band.
    """

    source: Source
    moves: bool
    timing_offset: float | None
    offset_spread: float | None
    correction: float
    remaining_offset: float | None
    accuracy: Accuracy | None
    quality: float | None
    matched: int


class TimingCorrelationView(BaseModel):
    """A row that lies where a line does; `timing_offset` is by how much it starts later."""

    source: Source
    id: str
    start: float
    end: float | None
    overlap: float
    confidence: float
    timing_offset: float
    accuracy: Accuracy


class TimedItemView(BaseModel):
    """A row of any source, its times corrected by `correction`."""

    source: Source
    id: str
    start: float | None
    end: float | None
    correction: float
    stream: int | None
    segment_id: str | None
    speaker_id: str | None
    speaker_name: str | None
    language: str | None
    text: str | None
    confidence: float | None
    timing_correlations: list[TimingCorrelationView]


class CorrectionView(BaseModel):
    """A correction as it was applied: `offset` seconds in all are taken off the source's times."""

    source: Source
    offset: float
    matched: int
    reason: str
    by: str
    applied_at: str
    quality_before: float | None
    quality_after: float | None


class TimingView(BaseModel):
    """A session's rows on one timeline, and how well they agree.

    `synchronization_quality` is 0 to 1, null when nothing can be compared.
    """

    session_id: str
    time_range: TimeRangeView
    tolerance: float
    synchronization_quality: float | None
    drift_detected: bool
    time_drift: dict[str, float]
    sources: list[SourceTimingView]
    corrections: list[CorrectionView]
    items: list[TimedItemView]
    next_cursor: str | None


class TimingStatisticsView(BaseModel):
    """All corrections that are stored."""

    sessions_corrected: int
    corrections_applied: int
    corrections_by_source: dict[str, int]
    average_correction: float
    average_quality_before: float | None
    average_quality_after: float | None
    last_applied_at: str | None


def source_view(
    source: Source, measure: SourceMeasure | None, correction_ns: int
) -> SourceTimingView:
    told = measure if measure is not None and measure.is_told else None
    return SourceTimingView(
        source=source,
        moves=source in MOVABLE,
        timing_offset=told and _seconds(told.offset_ns),
        offset_spread=told and _seconds(told.spread_ns),
        correction=_seconds(correction_ns),
        remaining_offset=told and _seconds(told.remaining_ns),
        accuracy=told and accuracy_of(told.remaining_ns),
        quality=told and round(told.quality, 4),
        matched=told.matched if told else 0,
    )


def drift_of(measures: Sequence[SourceMeasure]) -> dict[str, float]:
    """What remains of each offset that is told."""
    return {one.source.value: _seconds(one.remaining_ns) for one in measures if one.is_told}


def item_view(row: TimedRow) -> TimedItemView:
    return TimedItemView(
        source=row.source,
        id=row.row_id,
        start=None if row.start_ns is None else _seconds(row.start_ns),
        end=None if row.end_ns is None else _seconds(row.end_ns),
        correction=_seconds(row.correction_ns),
        stream=row.stream,
        segment_id=row.segment_id,
        speaker_id=row.speaker_id,
        speaker_name=row.speaker_name,
        language=row.language,
        text=row.text,
        confidence=None if row.confidence is None else round(row.confidence, 4),
        timing_correlations=[_related_view(row, one) for one in row.related],
    )


def correction_view(applied: AppliedCorrection) -> CorrectionView:
    return CorrectionView(
        source=applied.correction.source,
        offset=_seconds(applied.correction.offset_ns),
        matched=applied.correction.matched,
        reason=applied.correction.reason,
        by=applied.applied_by,
        applied_at=iso_utc(round(applied.applied_at.timestamp() * 1000)),
        quality_before=applied.quality_before,
        quality_after=applied.quality_after,
    )


def statistics_view(figures: TimingStatistics) -> TimingStatisticsView:
    last = figures.last_applied_at
    return TimingStatisticsView(
        sessions_corrected=figures.sessions,
        corrections_applied=figures.corrections,
        corrections_by_source=dict(figures.corrections_by_source),
        average_correction=_seconds(figures.mean_abs_offset_ns),
        average_quality_before=figures.mean_quality_before,
        average_quality_after=figures.mean_quality_after,
        last_applied_at=None if last is None else iso_utc(round(last.timestamp() * 1000)),
    )


def _related_view(line: TimedRow, row: RelatedRow) -> TimingCorrelationView:
    assert line.start_ns is not None
    assert line.end_ns is not None
    spoken = TimeWindow(line.start_ns, line.end_ns)
    end_ns = max(spoken.end_ns, row.start_ns) if row.end_ns is None else row.end_ns
    window = TimeWindow(row.start_ns, max(row.start_ns, end_ns))
    return TimingCorrelationView(
        source=row.source,
        id=row.row_id,
        start=_seconds(row.start_ns),
        end=None if row.end_ns is None else _seconds(row.end_ns),
        overlap=_seconds(spoken.overlap_ns(window)),
        confidence=round(_confidence(spoken, window, row), 4),
        timing_offset=_seconds(row.start_ns - line.start_ns),
        accuracy=accuracy_of(row.start_ns - line.start_ns),
    )


def _confidence(spoken: TimeWindow, window: TimeWindow, row: RelatedRow) -> float:
    """A file of audio is as sure as the share of the line that it holds."""
    if row.source == Source.AUDIO:
        return spoken.overlap_ns(window) / max(1, spoken.duration_ns)
    return match_confidence(spoken, window, 1.0 if row.confidence is None else row.confidence)


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 6)
