"""The service's HTTP API for Python programs.

Every method raises ServiceUnreachable when nothing answers, and otherwise the error that the
service names in its problem body (UnknownSession, NotAuthenticated, SessionConflict, ...).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Literal, Self

import aiohttp

from orchestration.client.calls import session_path
from orchestration.client.problems import error_for_problem
from orchestration.client.service_calls import ServiceCalls
from orchestration.client.stored_data import StoredDataCalls
from orchestration.errors import JsonObject, JsonValue, ServiceUnreachable

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 60
"""Silence of the service in the middle of an answer beyond which it counts as unreachable."""
UPGRADE_TIMEOUT_S = 10
"""From connecting to an open WebSocket. What answers later than that may be a process that is being
replaced; its successor answers sooner than it would."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A WebSocket message larger than this ends the connection; a snapshot has 1,000 segments."""

AS_IT_IS = ""
"""The language that a session has."""

TranscriptFormat = Literal["json", "txt", "srt", "vtt"]


class OrchestrationClient(StoredDataCalls, ServiceCalls):
    """A service at `base_url`, as in `http://127.0.0.1:3000`; use as an async context manager."""

    def __init__(self, base_url: str, api_key: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=ANSWER_TIMEOUT_S
        )
        self._http = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._http is not None:
            await self._http.close()

    # Sessions

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
        given: dict[str, Any] = {
            "session_id": session_id,
            "meeting_id": meeting_id,
            "title": title,
            "language": language,
            "target_languages": list(target_languages) or None,
            "settings": settings,
        }
        body = {key: value for key, value in given.items() if value is not None}
        return await self._json("POST", "/api/sessions", body=body)

    async def session(self, session_id: str) -> JsonObject:
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
        who = {"participant_id": participant_id, "email": email, "name": name}
        body: JsonObject = {key: value for key, value in who.items() if value is not None}
        return await self._json("DELETE", "/api/people", body=body | {"audio": audio})

    # What a session gave

    async def transcript(self, session_id: str, *, language: str | None = None) -> JsonObject:
        """`{session_id, status, language, segments, coverage}`."""
        query = {"format": "json", "language": language}
        return await self._json("GET", session_path(session_id, "/transcript"), query=query)

    async def transcript_text(
        self, session_id: str, form: TranscriptFormat, *, language: str | None = None
    ) -> str:
        """The transcript as the file that the service makes of it."""
        query = {"format": form, "language": language}
        path = session_path(session_id, "/transcript")
        async with self._request("GET", path, query=query) as response:
            return await response.text("utf-8")

    async def coverage(self, session_id: str) -> JsonObject:
        return await self._json("GET", session_path(session_id, "/coverage"))

    async def events(self, session_id: str, *, after: int = 0) -> JsonObject:
        """Durable events with a sequence number above `after`."""
        query = {"after": after}
        return await self._json("GET", session_path(session_id, "/events"), query=query)

    async def recording(self, session_id: str, stream: int) -> AsyncIterator[bytes]:
        """A stream's audio as FLAC, piece by piece."""
        path = session_path(session_id, "/recording")
        async with self._request("GET", path, query={"stream": stream}) as response:
            async for piece in response.content.iter_chunked(65_536):
                yield piece

    async def export_session(self, session_id: str) -> AsyncIterator[bytes]:
        """All that is stored of a session as one ZIP archive, piece by piece."""
        async with self._request("GET", session_path(session_id, "/export")) as response:
            async for piece in response.content.iter_chunked(65_536):
                yield piece

    # Who spoke

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
        person = _given(id=person_id, name=name)
        body = _given(person=person, segment_id=segment_id, speaker_id=speaker_id, by=by)
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
        body = _given(segment_id=segment_id, speaker_id=speaker_id, by=by)
        return await self._correct(session_id, "unmap", body)

    async def merge_speakers(
        self, session_id: str, speaker_id: str, into_id: str, *, by: str | None = None
    ) -> JsonObject:
        """Two ids are one person, known by the second."""
        body = _given(speaker_id=speaker_id, into_id=into_id, by=by)
        return await self._correct(session_id, "merge", body)

    async def rename_speaker(
        self, session_id: str, speaker_id: str, name: str, *, by: str | None = None
    ) -> JsonObject:
        """Give a label or person another name."""
        body = _given(speaker_id=speaker_id, name=name, by=by)
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

    # The service

    async def health(self) -> JsonObject:
        """The service's own word on itself, also when it is unhealthy (HTTP 503)."""
        return await self._json("GET", "/api/health", accept=(503,))

    async def models(self) -> JsonObject:
        """The models of all whisper services, and what both pools run on."""
        return await self._json("GET", "/api/audio/models")

    async def services(self) -> JsonObject:
        return await self._json("GET", "/api/services")

    async def alerts(self) -> JsonObject:
        """What holds now, critical first."""
        return await self._json("GET", "/api/alerts")

    async def past_alerts(self, *, before: int | None = None) -> JsonObject:
        """All alerts that are kept, newest first, by the page: those with ids below `before`."""
        return await self._json("GET", "/api/alerts", query={"state": "all", "before": before})

    async def settings(self) -> JsonObject:
        """`{version, settings, changed, stored, after_restart, config_file, fault, applied}`."""
        return await self._json("GET", "/api/settings")

    async def change_settings(
        self, settings: JsonObject, *, comment: str = "", version: int | None = None
    ) -> JsonObject:
        """Lay a merge patch over what is stored; `{version, updated, changes, …}`.

        Raises:
            SettingsRefused: nothing has changed; the facts have every fault.
            SettingsConflict: the settings are at another version than `version`.
        """
        body: JsonObject = {"settings": settings, "comment": comment, "version": version}
        return await self._json("POST", "/api/settings", body=body)

    async def reset_settings(self, places: Sequence[str] | None = None) -> JsonObject:
        """Go back to what file and environment say, at these dotted places or everywhere."""
        body: JsonObject = {"settings": None if places is None else list(places)}
        return await self._json("POST", "/api/settings/reset", body=body)

    async def roll_settings_back(self, version: int) -> JsonObject:
        """Have hold again what an earlier version stored."""
        return await self._json("POST", "/api/settings/rollback", body={"to": version})

    async def settings_history(
        self, *, before: int | None = None, limit: int | None = None
    ) -> JsonObject:
        """One page, newest first: `{items, next_before}`."""
        query = {"before": before, "limit": limit}
        return await self._json("GET", "/api/settings/history", query=query)

    async def import_settings(self, text: str) -> JsonObject:
        """Have the settings of a YAML text, and no others, stored over file and environment."""
        path = "/api/settings/import"
        async with self._request("POST", path, data=text.encode()) as response:
            return await self._body(response)

    async def export_settings(self, *, whole: bool = False) -> str:
        """What is stored over file and environment as YAML; with `whole` all that holds."""
        query = {"all": "true"} if whole else None
        async with self._request("GET", "/api/settings/export", query=query) as response:
            return await response.text("utf-8")

    @asynccontextmanager
    async def websocket(
        self, path: str, query: dict[str, Any] | None = None
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket of the service, without compression (PCM and JSON lines gain little).

        Raises:
            ServiceUnreachable: nothing answers, or what answers speaks no WebSocket.
            OrchestrationError: the service refused the upgrade and said why by its status.
        """
        try:
            async with asyncio.timeout(UPGRADE_TIMEOUT_S):
                socket = await self._session.ws_connect(
                    self.base_url + path,
                    params=_present(query),
                    compress=0,
                    max_msg_size=MAX_MESSAGE_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=5),
                )
        except aiohttp.WSServerHandshakeError as refusal:
            if refusal.status < 400:
                raise self._unreachable(refusal) from refusal
            raise error_for_problem(refusal.status, {}) from refusal
        except (TimeoutError, aiohttp.ClientError, OSError) as trouble:
            raise self._unreachable(trouble) from trouble
        try:
            yield socket
        finally:
            await socket.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("OrchestrationClient is to be used as an async context manager")
        return self._http

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: JsonObject | None = None,
        accept: tuple[int, ...] = (),
    ) -> JsonObject:
        async with self._request(method, path, query=query, body=body, accept=accept) as response:
            return await self._body(response)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: JsonObject | None = None,
        data: bytes | None = None,
        accept: tuple[int, ...] = (),
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self.base_url + path
        try:
            async with self._session.request(
                method, url, params=_present(query), json=body, data=data
            ) as response:
                if response.status >= 400 and response.status not in accept:
                    raise error_for_problem(response.status, await self._body(response))
                yield response
        except (TimeoutError, aiohttp.ClientError, OSError) as trouble:
            raise self._unreachable(trouble) from trouble

    async def _body(self, response: aiohttp.ClientResponse) -> JsonObject:
        text = await response.text("utf-8", errors="replace")
        try:
            body = json.loads(text) if text else {}
        except ValueError as not_json:
            if response.status >= 400:
                return {}
            raise self._unreachable(not_json) from not_json
        return body if isinstance(body, dict) else {}

    def _unreachable(self, reason: Exception) -> ServiceUnreachable:
        return ServiceUnreachable(
            f"No orchestration service answers at {self.base_url}:"
            " start one with `orchestration up`, or name another with --url.",
            {"url": self.base_url, "reason": str(reason) or type(reason).__name__},
        )


def _present(query: dict[str, Any] | None) -> list[tuple[str, str]]:
    return [
        (key, str(one))
        for key, value in (query or {}).items()
        if value is not None
        for one in (value if isinstance(value, list) else [value])
    ]


def _given(**fields: JsonValue) -> JsonObject:
    return {key: value for key, value in fields.items() if value is not None}
