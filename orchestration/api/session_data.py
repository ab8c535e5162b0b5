"""HTTP: what is stored of a session, by the page and by ranges of its time."""

from typing import Annotated

from fastapi import APIRouter, Query

from orchestration.api.session_data_views import (
    AudioFilePage,
    ChunkPage,
    CorrelationPage,
    ParticipantPage,
    SegmentPage,
    TranslationPage,
    chunk_view,
    correlation_view,
    file_view,
    participant_view,
    translation_view,
)
from orchestration.api.session_ids import SessionId
from orchestration.api.session_statistics import StatisticsView, statistics_view
from orchestration.api.sessions import DEFAULT_PAGE, Cursor, Language, Limit
from orchestration.api.time_ranges import TimeRange
from orchestration.storage.data_ports import DataArchive
from orchestration.transcript.exports import transcript_json

MAX_CURSOR_CHARACTERS = 2000
"""Of listings whose cursor holds an id that somebody else chose."""

LongCursor = Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)]


def session_data_router(archive: DataArchive) -> APIRouter:
    """`/api/sessions/{session_id}/audio-files`, `/transcripts`, `/statistics` and the others."""
    router = APIRouter(prefix="/api/sessions/{session_id}", tags=["data"])

    @router.get("/audio-files")
    async def audio_files(
        session_id: SessionId,
        within: TimeRange,
        limit: Limit = DEFAULT_PAGE,
        cursor: Cursor = None,
    ) -> AudioFilePage:
        """The files of a session's recordings that overlap a range of session time."""
        page = await archive.files_page(session_id, *within, limit, cursor)
        return AudioFilePage(
            items=[file_view(file) for file in page.items], next_cursor=page.next_cursor
        )

    @router.get("/transcripts")
    async def transcripts(
        session_id: SessionId,
        within: TimeRange,
        limit: Limit = DEFAULT_PAGE,
        cursor: Cursor = None,
    ) -> SegmentPage:
        """Final segments that overlap a range of session time, with their translations."""
        session = await archive.session(session_id)
        page = await archive.segments_page(session_id, *within, limit, cursor)
        segments = transcript_json(session, page.items, [])["segments"]
        return SegmentPage.model_validate({"items": segments, "next_cursor": page.next_cursor})

    @router.get("/statistics")
    async def statistics(session_id: SessionId) -> StatisticsView:
        """How much was said, recorded and translated, and by how many; how well lines are named."""
        figures = await archive.statistics(session_id)
        named = await archive.correlation_figures(session_id)
        return statistics_view(session_id, figures, named)

    _add_chunks_and_people(router, archive)
    _add_words_of_others(router, archive)
    return router


def _add_chunks_and_people(router: APIRouter, archive: DataArchive) -> None:
    @router.get("/chunks")
    async def chunks(
        session_id: SessionId,
        within: TimeRange,
        limit: Limit = DEFAULT_PAGE,
        cursor: Cursor = None,
    ) -> ChunkPage:
        """What was sent to whisper: by which engine it was heard, how fast, how good it was."""
        page = await archive.chunks_page(session_id, *within, limit, cursor)
        return ChunkPage(
            items=[chunk_view(one) for one in page.items], next_cursor=page.next_cursor
        )

    @router.get("/participants")
    async def participants(
        session_id: SessionId,
        within: TimeRange,
        limit: Limit = DEFAULT_PAGE,
        cursor: LongCursor = None,
    ) -> ParticipantPage:
        """Who was in the meeting; with a range, who was or may have been there in it."""
        page = await archive.participants_page(session_id, *within, limit, cursor)
        return ParticipantPage(
            items=[participant_view(one) for one in page.items], next_cursor=page.next_cursor
        )


def _add_words_of_others(router: APIRouter, archive: DataArchive) -> None:
    @router.get("/translations")
    async def translations(
        session_id: SessionId,
        within: TimeRange,
        language: Annotated[Language | None, Query()] = None,
        limit: Limit = DEFAULT_PAGE,
        cursor: LongCursor = None,
    ) -> TranslationPage:
        """Translations of the segments that overlap a range, of one language or all."""
        page = await archive.translations_page(session_id, *within, language, limit, cursor)
        return TranslationPage(
            items=[translation_view(one) for one in page.items], next_cursor=page.next_cursor
        )

    @router.get("/correlations")
    async def correlations(
        session_id: SessionId,
        within: TimeRange,
        limit: Limit = DEFAULT_PAGE,
        cursor: LongCursor = None,
    ) -> CorrelationPage:
        """Whose voices and lines are, and why; voices have no times, and are in every range."""
        page = await archive.correlations(session_id, *within, limit, cursor)
        return CorrelationPage(
            items=[correlation_view(one) for one in page.items], next_cursor=page.next_cursor
        )
