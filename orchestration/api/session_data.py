"""HTTP: what is stored of a session, by the page: audio files, transcripts, figures."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from orchestration.api.session_ids import SessionId
from orchestration.api.sessions import DEFAULT_PAGE, Cursor, Limit
from orchestration.api.transcripts import SegmentView
from orchestration.errors import BadRequest
from orchestration.storage.ports import Archive, RecordedFile, SessionStatistics
from orchestration.transcript.exports import transcript_json

MAX_SECONDS = 10_000_000
"""Session time that may be asked for; over a hundred days."""

Seconds = Annotated[float, Query(ge=0, le=MAX_SECONDS)]


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


def session_data_router(archive: Archive) -> APIRouter:
    """`/api/sessions/{session_id}/audio-files`, `/transcripts`, `/statistics`."""
    router = APIRouter(prefix="/api/sessions/{session_id}", tags=["data"])

    @router.get("/audio-files")
    async def audio_files(
        session_id: SessionId, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None
    ) -> AudioFilePage:
        """The files of a session's recordings."""
        page = await archive.files_page(session_id, limit, cursor)
        return AudioFilePage(
            items=[_file(file) for file in page.items], next_cursor=page.next_cursor
        )

    @router.get("/transcripts")
    async def transcripts(
        session_id: SessionId,
        start: Annotated[Seconds, Query(alias="from")] = 0,
        end: Annotated[Seconds, Query(alias="to")] = MAX_SECONDS,
        limit: Limit = DEFAULT_PAGE,
        cursor: Cursor = None,
    ) -> SegmentPage:
        """Final segments that overlap a range of session time, with their translations."""
        if start >= end:
            raise BadRequest("from must be below to.", {"from": start, "to": end})
        session = await archive.session(session_id)
        page = await archive.segments_page(
            session_id, round(start * 1e9), round(end * 1e9), limit, cursor
        )
        segments = transcript_json(session, page.items, [])["segments"]
        return SegmentPage.model_validate({"items": segments, "next_cursor": page.next_cursor})

    @router.get("/statistics")
    async def statistics(session_id: SessionId) -> StatisticsView:
        """How much was said, recorded and translated, and by how many."""
        return _statistics(session_id, await archive.statistics(session_id))

    return router


def _file(file: RecordedFile) -> AudioFileView:
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


def _statistics(session_id: str, figures: SessionStatistics) -> StatisticsView:
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
