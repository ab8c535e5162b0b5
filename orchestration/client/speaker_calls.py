"""The client's methods for who spoke, and for what people say about it."""

from orchestration.client.transport import Transport, given, session_path
from orchestration.json_types import JsonObject


class SpeakerCalls(Transport):
    """Speakers, corrections by hand, and the evidence of names."""

    async def speakers(self, session_id: str) -> JsonObject:
        """Everybody who was there or spoke: `{session_id, items, unnamed_labels}`."""
        return await self._json("GET", session_path(session_id, "/speakers"))

    async def map_speaker(
        self,
        session_id: str,
        name: str,
        *,
        person_id: str | None = None,
        segment_id: str | None = None,
        speaker_id: str | None = None,
        by: str | None = None,
    ) -> JsonObject:
        """A line, or all words of a label or person, are this person's: `{repainted}`."""
        person = given(id=person_id, name=name)
        body = given(person=person, segment_id=segment_id, speaker_id=speaker_id, by=by)
        return await self._correct(session_id, "map", body)

    async def unmap_speaker(
        self,
        session_id: str,
        *,
        segment_id: str | None = None,
        speaker_id: str | None = None,
        by: str | None = None,
    ) -> JsonObject:
        """Take back what was said by hand."""
        body = given(segment_id=segment_id, speaker_id=speaker_id, by=by)
        return await self._correct(session_id, "unmap", body)

    async def merge_speakers(
        self, session_id: str, speaker_id: str, into_id: str, *, by: str | None = None
    ) -> JsonObject:
        """Two ids are one person, known by the second."""
        body = given(speaker_id=speaker_id, into_id=into_id, by=by)
        return await self._correct(session_id, "merge", body)

    async def rename_speaker(
        self, session_id: str, speaker_id: str, name: str, *, by: str | None = None
    ) -> JsonObject:
        """Give a label or person another name."""
        body = given(speaker_id=speaker_id, name=name, by=by)
        return await self._correct(session_id, "rename", body)

    async def speaker_corrections(
        self, session_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> JsonObject:
        """One page of what people said about who spoke, in order: `{items, next_cursor}`."""
        path = session_path(session_id, "/speakers/corrections")
        return await self._json("GET", path, query={"limit": limit, "cursor": cursor})

    async def correlations(
        self,
        session_id: str,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JsonObject:
        """One page of whose voices and lines are and why, and statistics of the whole session."""
        query = {"session_id": session_id, "from": start_s, "to": end_s}
        query |= {"limit": limit, "cursor": cursor}
        return await self._json("GET", "/api/audio/correlations", query=query)

    async def correlate(self, session_id: str) -> JsonObject:
        """Have all lines named anew by the evidence there is: `{repainted, statistics}`."""
        body: JsonObject = {"session_id": session_id}
        return await self._json("POST", "/api/audio/correlations", body=body)

    async def _correct(self, session_id: str, kind: str, body: JsonObject) -> JsonObject:
        path = session_path(session_id, f"/speakers/{kind}")
        return await self._json("POST", path, body=body)
