"""A session's figures, as its route and its archive tell them."""

from collections.abc import Sequence

from pydantic import BaseModel

from orchestration.api.correlation_views import CorrelationStatisticsView
from orchestration.api.correlation_views import statistics_view as naming_view
from orchestration.storage.archive_ports import SessionStatistics
from orchestration.storage.speaker_ports import MethodFigures


class ClockChangeView(BaseModel):
    """A step of `seconds` that was there by `at_sample`, and what made it."""

    stream: int
    kind: str
    at_sample: int
    seconds: float


class StreamClockView(BaseModel):
    """How a stream's samples run against the service's clock, when the stream is at `at_sample`.

    `offset` is when sample 0 is received by the present path and rate: Unix time in seconds.
    """

    stream: int
    at_sample: int
    rate_ppm: float
    rate_error_ppm: float
    offset: float
    offset_error: float


class StatisticsView(BaseModel):
    """A session's figures, as stored."""

    session_id: str
    total_duration: float
    total_participants: int
    unique_speakers: int
    total_audio_files: int
    total_audio_duration: float
    total_audio_size: int
    total_transcripts: int
    total_transcript_words: int
    total_translations: int
    translation_languages: list[str]
    clocks: list[StreamClockView]
    clock_changes: list[ClockChangeView]
    correlation: CorrelationStatisticsView


def statistics_view(
    session_id: str, figures: SessionStatistics, named: Sequence[MethodFigures]
) -> StatisticsView:
    return StatisticsView(
        session_id=session_id,
        total_duration=figures.duration_s,
        total_participants=figures.participants,
        unique_speakers=figures.speakers,
        total_audio_files=figures.audio_files,
        total_audio_duration=figures.recorded_s,
        total_audio_size=figures.recorded_bytes,
        total_transcripts=figures.segments,
        total_transcript_words=figures.words,
        total_translations=figures.translations,
        translation_languages=list(figures.translation_languages),
        correlation=naming_view(named),
        clocks=[
            StreamClockView(
                stream=one.stream,
                at_sample=one.at_sample,
                rate_ppm=one.estimate.rate_ppm,
                rate_error_ppm=one.estimate.rate_error_ppm,
                offset=one.estimate.offset_ns / 1e9,
                offset_error=one.estimate.offset_error_ns / 1e9,
            )
            for one in figures.clocks
        ],
        clock_changes=[
            ClockChangeView(
                stream=one.stream,
                kind=one.change.kind,
                at_sample=one.change.at_sample,
                seconds=one.change.step_ns / 1e9,
            )
            for one in figures.clock_changes
        ],
    )
