"""HTTP: search over what was said in all sessions."""

import html
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel

from orchestration.api.session_data import LongCursor
from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.api.sessions import Language, Limit
from orchestration.errors import BadRequest
from orchestration.session.events import iso_utc, seconds
from orchestration.storage.data_ports import (
    MATCH_END,
    MATCH_START,
    DataArchive,
    FoundLine,
    SearchQuery,
)

MAX_QUERY_CHARACTERS = 500
MAX_SPEAKER_CHARACTERS = 1000
DEFAULT_RESULTS = 20


class SearchHitView(BaseModel):
    """A line that matches, or its translation; seconds of session time.

    `snippet` is HTML: its text is escaped, and each match is in a `mark` element.
    """

    session_id: str
    title: str | None
    kind: Literal["transcript", "translation"]
    segment_id: str
    language: str
    start: float
    end: float
    absolute_start: str
    speaker_id: str | None
    speaker_name: str | None
    text: str
    snippet: str
    rank: float


class SearchPage(BaseModel):
    """Hits, best first; `next_cursor` asks for the following ones."""

    items: list[SearchHitView]
    next_cursor: str | None


def search_router(archive: DataArchive) -> APIRouter:
    """`/api/search`."""
    router = APIRouter(prefix="/api", tags=["data"])

    @router.get("/search")
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_CHARACTERS)],
        session_id: Annotated[str | None, Query(pattern=SESSION_ID_PATTERN)] = None,
        speaker: Annotated[str | None, Query(max_length=MAX_SPEAKER_CHARACTERS)] = None,
        since: Annotated[datetime | None, Query(alias="from")] = None,
        until: Annotated[datetime | None, Query(alias="to")] = None,
        language: Annotated[Language | None, Query()] = None,
        limit: Limit = DEFAULT_RESULTS,
        cursor: LongCursor = None,
    ) -> SearchPage:
        """Lines and translations with these words: `"quotes"` keep words together, `or` and
        `-word` mean what they say. `from` and `to` are moments (ISO 8601; UTC unless said)."""
        query = SearchQuery(q, session_id, speaker, _aware(since), _aware(until), language)
        if query.since and query.until and query.since >= query.until:
            raise BadRequest("from must be before to.")
        page = await archive.search(query, limit, cursor)
        return SearchPage(items=[_hit(one) for one in page.items], next_cursor=page.next_cursor)

    return router


def marked(snippet: str) -> str:
    """A snippet as HTML: what was said is escaped, what matches is marked."""
    escaped = html.escape(snippet)
    return escaped.replace(MATCH_START, "<mark>").replace(MATCH_END, "</mark>")


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _hit(found: FoundLine) -> SearchHitView:
    return SearchHitView(
        session_id=found.session_id,
        title=found.title,
        kind=found.kind,
        segment_id=found.segment_id,
        language=found.language,
        start=seconds(found.start_ns),
        end=seconds(found.end_ns),
        absolute_start=iso_utc(int(found.starts_at.timestamp() * 1000)),
        speaker_id=found.speaker_id,
        speaker_name=found.speaker_name,
        text=found.text,
        snippet=marked(found.snippet),
        rank=found.rank / 1_000_000,
    )
