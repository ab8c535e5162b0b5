"""What is stored of a session, by the page, and its figures, in PostgreSQL."""

from collections import defaultdict

from orchestration.session.events import TranslatedText
from orchestration.session.fields import MAX_INTEGER
from orchestration.storage.archive_ports import Page, SessionStatistics, StoredSegment
from orchestration.storage.cursors import cursor_at, place_of
from orchestration.storage.pool import EXISTS, LongReads, Pool, unknown_session
from orchestration.storage.recording_statements import FILES_PAGE
from orchestration.storage.rows import SEGMENT_COLUMNS, file_from, segment_from, translated_from
from orchestration.storage.stream_clocks import read_changes, read_estimates
from orchestration.storage.values import RecordedFile

CHANGES_SHOWN = 100
"""Of a session's clock changes, the last."""

# Long segments are read with those that start within the range: they overlap it too.
SEGMENTS_PAGE = f"""
SELECT {SEGMENT_COLUMNS} FROM bot_sessions.transcripts
WHERE session_id = $1 AND (end_ns > $2 OR start_ns >= $2) AND start_ns < $3
    AND (start_ns, stream, transcript_id) > ($4, $5, $6)
ORDER BY start_ns, stream, transcript_id LIMIT $7
"""

TRANSLATIONS_OF = """
SELECT source_transcript_id, target_language, translated_text, state
FROM bot_sessions.translations
WHERE session_id = $1 AND source_transcript_id = ANY ($2) ORDER BY target_language
"""

STATISTICS = """
SELECT total_duration AS duration_s, total_participants AS participants,
    unique_speakers AS speakers, total_audio_files AS audio_files,
    total_audio_duration AS recorded_s, total_audio_size AS recorded_bytes,
    total_transcripts AS segments, total_transcript_words AS words,
    total_translations AS translations, translation_languages
FROM bot_sessions.session_statistics WHERE session_id = $1
"""


class PostgresListings:
    """The pages of `Archive`, over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._reads = LongReads(pool)

    async def files_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[RecordedFile]:
        stream, first_seq = (-1, -1) if cursor is None else place_of(cursor, int, int)
        async with self._reads.connection() as connection:
            rows = await connection.fetch(
                FILES_PAGE, session_id, from_ns, to_ns, stream, first_seq, limit + 1
            )
            if not rows and await connection.fetchval(EXISTS, session_id) is None:
                raise unknown_session(session_id)
        items = [file_from(row) for row in rows[:limit]]
        last = (items[-1].stream, items[-1].first_seq) if len(rows) > limit else None
        return Page(items, last and cursor_at(*last))

    async def segments_page(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> Page[StoredSegment]:
        start_ns, stream, segment_id = (
            (-MAX_INTEGER, -1, "") if cursor is None else place_of(cursor, int, int, str)
        )
        translations: defaultdict[str, list[TranslatedText]] = defaultdict(list)
        async with self._reads.connection() as connection:
            rows = await connection.fetch(
                SEGMENTS_PAGE, session_id, from_ns, to_ns, start_ns, stream, segment_id, limit + 1
            )
            if not rows and await connection.fetchval(EXISTS, session_id) is None:
                raise unknown_session(session_id)
            ids = [row["transcript_id"] for row in rows[:limit]]
            for row in await connection.fetch(TRANSLATIONS_OF, session_id, ids):
                translations[row["source_transcript_id"]].append(translated_from(row))
        items = [
            StoredSegment(segment_from(row), tuple(translations[row["transcript_id"]]))
            for row in rows[:limit]
        ]
        if len(rows) <= limit:
            return Page(items, None)
        last = items[-1].segment
        return Page(items, cursor_at(last.start_ns, last.stream, last.segment_id))

    async def statistics(self, session_id: str) -> SessionStatistics:
        async with self._reads.connection() as connection:
            row = await connection.fetchrow(STATISTICS, session_id)
            clocks = await read_estimates(connection, session_id)
            changes = await read_changes(connection, session_id, CHANGES_SHOWN)
        if row is None:
            raise unknown_session(session_id)
        figures = dict(row)
        languages = tuple(figures.pop("translation_languages"))
        return SessionStatistics(
            **figures,
            translation_languages=languages,
            clocks=tuple(clocks.values()),
            clock_changes=tuple(changes),
        )
