"""Google Meet's REST API, version 2: conference records, who was in them, and what was said.

Only lists are read, so every request may be tried again. Shapes, page sizes, filters and errors are
those of developers.google.com/workspace/meet/api/reference/rest/v2.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Protocol, cast, get_args

import aiohttp

from orchestration.client.backoff import Backoff
from orchestration.errors import (
    EngineError,
    EngineTimeout,
    GoogleMeetError,
    GoogleMeetMissing,
    GoogleMeetRefused,
)
from orchestration.json_types import JsonObject, JsonValue
from orchestration.meet.values import (
    Attendee,
    Conference,
    Presence,
    Transcript,
    TranscriptEntry,
    TranscriptState,
    UserKind,
)
from orchestration.services.http_upstream import HttpUpstream
from orchestration.session.events import iso_utc
from orchestration.session.fields import clean_name

MAX_PAGES = 100
"""Pages of one list that are read; the rest is left out. 10,000 entries are a day of talk."""

MAX_NAME_CHARACTERS = 200
"""Longer display names are cut."""

LONGEST_RETRY_AFTER_S = 30
"""Told to wait longer than this, the client gives up; whoever asks comes back by its schedule."""

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may do."""

USER_KINDS: Mapping[str, UserKind] = {
    "signedinUser": "signed_in",
    "anonymousUser": "anonymous",
    "phoneUser": "phone",
}

_MESSAGE = re.compile(r'"message":\s*"((?:[^"\\]|\\.)*)')


class TokenSource(Protocol):
    """Where access tokens come from."""

    async def token(self) -> str: ...

    def reject(self, token: str) -> None: ...


class GoogleMeet:
    """A client; all methods raise GoogleMeetError, GoogleMeetRefused or GoogleMeetMissing."""

    def __init__(
        self,
        base_url: str,
        tokens: TokenSource,
        *,
        timeout_s: float,
        tries: int,
        session: aiohttp.ClientSession | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """A session that is given stays the giver's to close.

        Raises:
            ConfigurationError: the URL is not http or https.
        """
        # Made now, so that a bad URL is refused now.
        self._public = HttpUpstream(base_url, timeout_s=timeout_s, session=session)
        self._base_url = base_url
        self._tokens = tokens
        self._timeout_s = timeout_s
        self._tries = tries
        self._session = session
        self._owns_session = session is None
        self._sleep = sleep

    async def close(self) -> None:
        """Close the connections, unless the session was given."""
        if self._owns_session and self._session is not None:
            await self._session.close()
            self._session = None

    async def conferences(self, meeting_code: str, since_ms: int) -> list[Conference]:
        """Conferences held under a meeting code that began since then, the newest first."""
        condition = f'space.meeting_code = "{meeting_code}" AND start_time>="{iso_utc(since_ms)}"'
        rows = await self._list("conferenceRecords", "conferenceRecords", 100, condition)
        return [one for row in rows if (one := _conference(row)) is not None]

    async def attendees(self, conference: str) -> list[Attendee]:
        """Everybody who is or was in a conference."""
        rows = await self._list(f"{conference}/participants", "participants", 250)
        return [one for row in rows if (one := _attendee(row)) is not None]

    async def presences(self, attendee: str) -> list[Presence]:
        """An attendee's stays, in order of time."""
        rows = await self._list(f"{attendee}/participantSessions", "participantSessions", 250)
        stays = [
            Presence(joined_ms, _moment_ms(row, "endTime"))
            for row in rows
            if (joined_ms := _moment_ms(row, "startTime")) is not None
        ]
        return sorted(stays, key=lambda stay: stay.joined_ms)

    async def transcripts(self, conference: str) -> list[Transcript]:
        """The transcripts that Meet makes or made of a conference; often none."""
        rows = await self._list(f"{conference}/transcripts", "transcripts", 100)
        return [
            Transcript(name, cast(TranscriptState, state))
            for row in rows
            if (name := _text(row, "name")) and (state := _text(row, "state")) in STATES
        ]

    async def entries(self, transcript: str) -> list[TranscriptEntry]:
        """What was said, in order of time."""
        rows = await self._list(f"{transcript}/entries", "transcriptEntries", 100)
        entries = [one for row in rows if (one := _entry(row)) is not None]
        return sorted(entries, key=lambda entry: entry.started_ms)

    async def _list(
        self, path: str, field: str, page_size: int, condition: str | None = None
    ) -> list[JsonObject]:
        query = {"pageSize": str(page_size)}
        if condition is not None:
            query["filter"] = condition
        rows: list[JsonObject] = []
        for _ in range(MAX_PAGES):
            page = await self._get(path, query)
            listed = page.get(field, [])
            if not isinstance(listed, list):
                raise GoogleMeetError(f"Google Meet's {field} are no list.")
            rows += [row for row in listed if isinstance(row, dict)]
            following = _text(page, "nextPageToken")
            if not following:
                break
            query["pageToken"] = following
        return rows

    async def _get(self, path: str, query: Mapping[str, str]) -> JsonObject:
        backoff = Backoff(random.random)
        renewed = False
        tries_left = self._tries
        while True:
            token = await self._tokens.token()
            try:
                page = await self._upstream(token).get(f"v2/{path}", query)
            except EngineError as error:
                if error.facts.get("status") == HTTPStatus.UNAUTHORIZED and not renewed:
                    self._tokens.reject(token)
                    renewed = True
                    continue
                tries_left -= 1
                wait_s = _wait_s(error, backoff)
                if tries_left <= 0 or wait_s is None:
                    raise _explained(error) from error
                await self._sleep(wait_s)
                continue
            if not isinstance(page, dict):
                raise GoogleMeetError("Google Meet did not answer with a JSON object.")
            return page

    def _upstream(self, token: str) -> HttpUpstream:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return HttpUpstream(
            self._base_url, timeout_s=self._timeout_s, session=self._session, bearer=token
        )


STATES = frozenset(get_args(TranscriptState))


def _wait_s(error: EngineError, backoff: Backoff) -> float | None:
    """How long to wait before the next try; None when there should be none."""
    status = error.facts.get("status")
    if status is not None and status not in (*PASSING, HTTPStatus.OK):
        return None
    wait_s = backoff.wait_ns() / 1e9
    told = error.facts.get("retry_after_s")
    if isinstance(told, int):
        # With the jitter on top, so that not everybody is back at the same moment.
        return told + wait_s if told <= LONGEST_RETRY_AFTER_S else None
    return wait_s


def _explained(error: EngineError) -> GoogleMeetError:
    """What went wrong, in Google's words where it says."""
    status = error.facts.get("status")
    said = _MESSAGE.search(str(error.facts.get("excerpt", "")))
    reason = f"{error.message.rstrip('.')}{f': {said.group(1)}' if said else ''}"
    facts: dict[str, JsonValue] = {"status": status} if status is not None else {}
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return GoogleMeetRefused(f"{reason}. See to the credentials' scope and user.", facts)
    if status == HTTPStatus.NOT_FOUND:
        return GoogleMeetMissing(f"{reason}.", facts)
    if isinstance(error, EngineTimeout):
        return GoogleMeetError(error.message, facts)
    return GoogleMeetError(f"{reason}.", facts)


def _conference(row: JsonObject) -> Conference | None:
    name, started_ms = _text(row, "name"), _moment_ms(row, "startTime")
    if not name or started_ms is None:
        return None
    return Conference(name, _text(row, "space") or None, started_ms, _moment_ms(row, "endTime"))


def _attendee(row: JsonObject) -> Attendee | None:
    name = _text(row, "name")
    for field, kind in USER_KINDS.items():
        user = row.get(field)
        if name and isinstance(user, dict) and (shown := _shown(user)):
            return Attendee(
                name,
                shown,
                kind,
                _moment_ms(row, "earliestStartTime"),
                _moment_ms(row, "latestEndTime"),
            )
    return None


def _shown(user: JsonObject) -> str:
    return clean_name(_text(user, "displayName"))[:MAX_NAME_CHARACTERS]


def _entry(row: JsonObject) -> TranscriptEntry | None:
    attendee, text = _text(row, "participant"), _text(row, "text")
    started_ms, ended_ms = _moment_ms(row, "startTime"), _moment_ms(row, "endTime")
    if not attendee or not text or started_ms is None:
        return None
    return TranscriptEntry(attendee, text, started_ms, max(started_ms, ended_ms or started_ms))


def _text(row: JsonObject, field: str) -> str:
    value = row.get(field)
    return value if isinstance(value, str) else ""


def _moment_ms(row: JsonObject, field: str) -> int | None:
    """An RFC 3339 moment, with up to nine digits of a second; None where there is none."""
    try:
        moment = datetime.fromisoformat(_text(row, field))
        return round(moment.timestamp() * 1000) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
