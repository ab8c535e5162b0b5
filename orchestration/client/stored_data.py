"""The client's methods for what is stored of sessions.

Lists come by the page: `{items, next_cursor}`; give `next_cursor` as `cursor` for the following
one. `start` and `end` are seconds of session time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from orchestration.client.transport import Transport, session_path
from orchestration.json_types import JsonObject

SessionList = Literal[
    "participants", "audio-files", "transcripts", "chunks", "translations", "correlations"
]


class StoredDataCalls(Transport):
    """Pages of what is stored, search, statistics, timing, and receipts."""

    async def session_list(
        self,
        session_id: str,
        what: SessionList,
        *,
        start: float | None = None,
        end: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JsonObject:
        """One page of a session's rows of one kind."""
        query = {"from": start, "to": end, "limit": limit, "cursor": cursor}
        return await self._json("GET", session_path(session_id, f"/{what}"), query=query)

    async def statistics(self, session_id: str) -> JsonObject:
        """How much was said, recorded and translated."""
        return await self._json("GET", session_path(session_id, "/statistics"))

    async def repair(self, session_id: str) -> JsonObject:
        """Have lost audio that is still held heard again: `{session_id, ranges}`."""
        return await self._json("POST", session_path(session_id, "/repair"))

    async def search(
        self,
        words: str,
        *,
        session_id: str | None = None,
        speaker: str | None = None,
        language: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JsonObject:
        """Lines and translations that have these words, best first; `since` and `until` are moments
        between which a line begins, of this machine's time zone where they name none."""
        query = {
            "q": words,
            "session_id": session_id,
            "speaker": speaker,
            "language": language,
            "from": since and _with_zone(since),
            "to": until and _with_zone(until),
            "limit": limit,
            "cursor": cursor,
        }
        return await self._json("GET", "/api/search", query=query)

    async def timing(
        self,
        session_id: str | None = None,
        *,
        start: float | None = None,
        end: float | None = None,
        sources: Sequence[str] = (),
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JsonObject:
        """All sources on one timeline; without a session, what was corrected in all."""
        query = {
            "session_id": session_id,
            "from": start,
            "to": end,
            "sources": list(sources),
            "limit": limit,
            "cursor": cursor,
        }
        return await self._json("GET", "/api/audio/timing", query=query)

    async def realign(
        self, session_id: str, *, sources: Sequence[str] = (), force: bool = False, by: str = "api"
    ) -> JsonObject:
        """Correct the sources that are off; all of those that move unless some are named."""
        body: JsonObject = {"session_id": session_id, "force": force, "by": by}
        if sources:
            body["sources"] = list(sources)
        return await self._json("POST", "/api/audio/timing", body=body)

    async def erasures(self, *, before: int | None = None, limit: int | None = None) -> JsonObject:
        """Receipts, newest first: `{items, next_before}`."""
        query = {"before": before, "limit": limit}
        return await self._json("GET", "/api/erasures", query=query)


def _with_zone(moment: datetime) -> str:
    # As Python takes one without: the service would take it for UTC.
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()
