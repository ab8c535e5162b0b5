"""What is stored of sessions beyond their transcripts, in PostgreSQL."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from orchestration.errors import BadRequest
from orchestration.session.events import DurableEvent
from orchestration.session.fields import MAX_INTEGER
from orchestration.storage import data_statements as sql
from orchestration.storage.archive_ports import Page
from orchestration.storage.cursors import cursor_at, place_of
from orchestration.storage.data_ports import (
    FoundLine,
    SearchQuery,
    StoredChunk,
    StoredQuality,
    StoredTranslation,
)
from orchestration.storage.pool import EXISTS, unknown_session
from orchestration.storage.postgres_listings import PostgresListings
from orchestration.storage.rows import (
    Row,
    event_from,
    participant_from,
    translated_from,
)
from orchestration.storage.search_statements import SEARCH, STEMMED_LANGUAGES, UNSTEMMED
from orchestration.storage.stored_text import storable_text
from orchestration.storage.values import ChunkRow, ParticipantRow

SEARCH_TIMEOUT_MS = 5000
"""A search that takes longer is refused: its words are in too many lines."""


class PostgresData(PostgresListings):
    """The listings and the search of `DataArchive`, over a pool."""

    async def chunks_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[StoredChunk]:
        place = (-1, -1) if cursor is None else place_of(cursor, int, int)
        rows = await self._listed(sql.CHUNKS_PAGE, session_id, from_ns, to_ns, *place, limit + 1)
        return _page(rows, limit, _chunk_from, "stream", "start_sample")

    async def translations_page(
        self,
        session_id: str,
        from_ns: int,
        to_ns: int,
        language: str | None,
        limit: int,
        cursor: str | None,
    ) -> Page[StoredTranslation]:
        start = (-MAX_INTEGER, "", "")
        place = start if cursor is None else place_of(cursor, int, str, str)
        rows = await self._listed(
            sql.TRANSLATIONS_PAGE, session_id, from_ns, to_ns, language, *place, limit + 1
        )
        return _page(
            rows, limit, _translation_from, "start_ns", "source_transcript_id", "target_language"
        )

    async def participants_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[ParticipantRow]:
        place = (-MAX_INTEGER, "") if cursor is None else place_of(cursor, int, str)
        rows = await self._listed(
            sql.PARTICIPANTS_PAGE, session_id, from_ns, to_ns, *place, MAX_INTEGER, limit + 1
        )
        return _page(rows, limit, participant_from, "place_ns", "participant_id")

    async def events_between(
        self, session_id: str, after: int, from_ns: int, to_ns: int, limit: int
    ) -> Sequence[DurableEvent]:
        rows = await self._listed(sql.EVENTS_BETWEEN, session_id, after, from_ns, to_ns, limit)
        return [event_from(row) for row in rows]

    async def search(self, query: SearchQuery, limit: int, cursor: str | None) -> Page[FoundLine]:
        place = (None,) * 5 if cursor is None else place_of(cursor, int, str, str, str, str)
        languages = (*STEMMED_LANGUAGES, UNSTEMMED) if query.language is None else (query.language,)
        async with self._reads.connection() as connection, connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {SEARCH_TIMEOUT_MS}")
            # The planner does not see the words, guesses how many lines have them, and may read
            # whole tables for it; once for each language.
            await connection.execute("SET LOCAL enable_seqscan = off")
            try:
                rows = await connection.fetch(
                    SEARCH,
                    _typed(query.text),
                    query.language,
                    query.session_id,
                    None if query.speaker is None else _typed(query.speaker),
                    query.since,
                    query.until,
                    list(languages),
                    *place,
                    limit + 1,
                )
            except asyncpg.QueryCanceledError as error:
                raise BadRequest(
                    "Too many lines have these words: look for rarer ones, or in one session.",
                    {"limit_ms": SEARCH_TIMEOUT_MS},
                ) from error
        return _page(
            rows, limit, _found_from, "rank", "session_id", "transcript_id", "language_code", "kind"
        )

    async def _listed(self, query: str, session_id: str, *arguments: object) -> list[Row]:
        """Rows of a session that exists."""
        async with self._reads.connection() as connection:
            rows = await connection.fetch(query, session_id, *arguments)
            if not rows and await connection.fetchval(EXISTS, session_id) is None:
                raise unknown_session(session_id)
        return list(rows)


def _typed(text: str) -> str:
    """What somebody types, as lines and names are stored: with accents on their letters."""
    return storable_text(unicodedata.normalize("NFC", text))


def _page(rows: Sequence[Row], limit: int, value_of: Any, *place: str) -> Page[Any]:
    """The first `limit` rows as values; where there is one more, a cursor at the last of them."""
    items = [value_of(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items, None)
    return Page(items, cursor_at(*(rows[limit - 1][name] for name in place)))


def _chunk_from(row: Row) -> StoredChunk:
    quality = None
    if row["score"] is not None:
        names = ("score", "rms_dbfs", "snr_db", "speech_ratio", "clipped_ratio")
        quality = StoredQuality(*(row[name] for name in names))
    chunk = ChunkRow(
        stream=row["stream"],
        start=row["start_sample"],
        end=row["end_sample"],
        outcome=row["outcome"],
        engine=row["engine"],
        language=row["language_code"],
        words=row["words"],
        attempts=row["attempts"],
        latency_ms=row["latency_ms"],
    )
    answered_at: datetime = row["answered_at"]
    return StoredChunk(chunk, row["start_ns"], row["end_ns"], answered_at, quality)


def _translation_from(row: Row) -> StoredTranslation:
    return StoredTranslation(
        segment_id=row["source_transcript_id"],
        stream=row["stream"],
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        source_language=row["source_language"],
        translation=translated_from(row),
        engine=row["translation_service"],
    )


def _found_from(row: Row) -> FoundLine:
    return FoundLine(
        session_id=row["session_id"],
        title=row["meeting_title"],
        kind=row["kind"],
        segment_id=row["transcript_id"],
        language=row["language_code"],
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        starts_at=row["starts_at"],
        speaker_id=row["speaker_id"],
        speaker_name=row["speaker_name"],
        text=row["text"],
        snippet=row["snippet"],
        rank=row["rank"],
    )
