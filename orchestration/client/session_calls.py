"""The client's methods for sessions, and for what each gave as a whole."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal

from orchestration.client.transport import (
    LONG_ANSWER_TIMEOUT_S,
    Transport,
    given,
    session_path,
)
from orchestration.json_types import JsonObject

TranscriptFormat = Literal["json", "txt", "srt", "vtt"]
AS_IT_IS = ""
"""The language that a session has."""


class SessionCalls(Transport):
    """Sessions from their creation to their erasure; transcripts, events, recordings, archives."""

    async def create_session(
        self,
        session_id: str | None = None,
        *,
        meeting_id: str | None = None,
        title: str | None = None,
        language: str | None = None,
        target_languages: Sequence[str] = (),
        settings: JsonObject | None = None,
    ) -> JsonObject:
        """Create a session, or find the one created with this id and description before."""
        body = given(
            session_id=session_id,
            meeting_id=meeting_id,
            title=title,
            language=language,
            target_languages=list(target_languages) or None,
            settings=settings,
        )
        return await self._json("POST", "/api/sessions", body=body)

    async def session(self, session_id: str) -> JsonObject:
        """A session's description and status."""
        return await self._json("GET", session_path(session_id))

    async def sessions(
        self, *, status: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> JsonObject:
        """One page, newest first: `{items, next_cursor}`."""
        query = {"status": status, "limit": limit, "cursor": cursor}
        return await self._json("GET", "/api/sessions", query=query)

    async def end_session(self, session_id: str) -> JsonObject:
        """End a session as if its bot had; returns at once with its new status."""
        return await self._json("POST", session_path(session_id, "/end"))

    async def configure_session(
        self,
        session_id: str,
        settings: JsonObject | None = None,
        *,
        language: str | None = AS_IT_IS,
        target_languages: Sequence[str] | None = None,
    ) -> JsonObject:
        """Change a running session's own settings by a merge patch, and its languages.

        Args:
            settings: what is to be changed of the settings.
            language: what is spoken; None has it heard.
            target_languages: in place of those that it has; None leaves them.
        """
        body: JsonObject = {"settings": settings or {}}
        if language != AS_IT_IS:
            body["language"] = language
        if target_languages is not None:
            body["target_languages"] = list(target_languages)
        return await self._json("PATCH", session_path(session_id), body=body)

    async def delete_session(self, session_id: str) -> JsonObject:
        """Remove a session, its rows and its files; returns the receipt."""
        return await self._json("DELETE", session_path(session_id))

    async def erase_person(
        self,
        *,
        participant_id: str | None = None,
        email: str | None = None,
        name: str | None = None,
        audio: Literal["own", "all"] = "own",
    ) -> JsonObject:
        """Take a person out of all sessions, by one of the three; returns the receipt."""
        body = given(participant_id=participant_id, email=email, name=name, audio=audio)
        return await self._json("DELETE", "/api/people", body=body)

    async def transcript(self, session_id: str, *, language: str | None = None) -> JsonObject:
        """`{session_id, status, language, segments, coverage}`."""
        query = {"format": "json", "language": language}
        return await self._json("GET", session_path(session_id, "/transcript"), query=query)

    async def transcript_text(
        self, session_id: str, form: TranscriptFormat, *, language: str | None = None
    ) -> str:
        """The transcript as the file that the service makes of it."""
        query = {"format": form, "language": language}
        return await self._text("GET", session_path(session_id, "/transcript"), query=query)

    async def coverage(self, session_id: str) -> JsonObject:
        """The fate of every sample, by stream: `{streams}`."""
        return await self._json("GET", session_path(session_id, "/coverage"))

    async def events(
        self,
        session_id: str,
        *,
        after: int = 0,
        start: float | None = None,
        end: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JsonObject:
        """One page of durable events with a sequence number above `after`."""
        query = {"after": after, "from": start, "to": end, "limit": limit, "cursor": cursor}
        return await self._json("GET", session_path(session_id, "/events"), query=query)

    async def recording(self, session_id: str, stream: int) -> AsyncIterator[bytes]:
        """A stream's audio as FLAC, piece by piece."""
        path, query = session_path(session_id, "/recording"), {"stream": stream}
        async for piece in self._pieces(path, query=query, timeout_s=LONG_ANSWER_TIMEOUT_S):
            yield piece

    async def export_session(self, session_id: str) -> AsyncIterator[bytes]:
        """All that is stored of a session as one ZIP archive, piece by piece."""
        path = session_path(session_id, "/export")
        async for piece in self._pieces(path, timeout_s=LONG_ANSWER_TIMEOUT_S):
            yield piece
