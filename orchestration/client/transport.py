"""HTTP requests and WebSockets to one service: what all the client's methods are made of."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import quote

import aiohttp
from yarl import URL

from orchestration.client.problems import error_for_problem
from orchestration.errors import BadRequest, ServiceUnreachable
from orchestration.json_types import JsonObject, JsonValue

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 60
"""Silence of the service in the middle of an answer beyond which it counts as unreachable."""
LONG_ANSWER_TIMEOUT_S = 900
"""The same where the service works on the answer before it begins: recordings, whole files."""
UPGRADE_TIMEOUT_S = 10
"""From connecting to an open WebSocket. What answers later than that may be a process that is being
replaced; its successor answers sooner than it would."""

CLOSE_TIMEOUT_S = 5
"""What a WebSocket's other side has to answer a close; then the connection is cut."""

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A WebSocket message larger than this ends the connection; a snapshot has 1,000 segments."""
PIECE_BYTES = 65_536
ANSWERED_BY = "X-Gateway-Service"
"""The header that an answer of a service behind has, and one of this service itself has not."""

RequestBody = bytes | aiohttp.FormData | None


class Asked(TypedDict, total=False):
    """What a request may have beyond its method and path. `timeout_s` is of silence, and the
    statuses in `accept` are answers too though they tell of a problem."""

    query: dict[str, Any] | None
    body: JsonObject | None
    data: RequestBody
    headers: Mapping[str, str] | None
    timeout_s: float
    accept: tuple[int, ...]


class Transport:
    """A service at `base_url`, as in `http://127.0.0.1:3000`; use as an async context manager."""

    def __init__(self, base_url: str, api_key: str | None = None) -> None:
        """Raises BadRequest where both a key and a URL's user want to be the `Authorization`."""
        if api_key and shown_url(base_url) != base_url.rstrip("/"):
            raise BadRequest(
                "A request has room for a key or for the user of a URL, not for both:"
                " leave the user out of the URL, or the key."
            )
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            headers=self._headers, timeout=_timeout(ANSWER_TIMEOUT_S)
        )
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._http is not None:
            await self._http.close()

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
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
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

    async def _json(self, method: str, path: str, **asked: Unpack[Asked]) -> JsonObject:
        async with self._request(method, path, **asked) as response:
            return await self._body(response)

    async def _text(self, method: str, path: str, **asked: Unpack[Asked]) -> str:
        async with self._request(method, path, **asked) as response:
            return await response.text("utf-8")

    async def _pieces(self, path: str, **asked: Unpack[Asked]) -> AsyncIterator[bytes]:
        async with self._request("GET", path, **asked) as response:
            async for piece in response.content.iter_chunked(PIECE_BYTES):
                yield piece

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, **asked: Unpack[Asked]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # Encoded already: what a caller's id has in it is read by the service alone.
        url = URL(self.base_url + path, encoded=True)
        try:
            response = await self._session.request(
                method,
                url,
                params=_present(asked.get("query")),
                json=asked.get("body"),
                data=asked.get("data"),
                headers=asked.get("headers"),
                timeout=_timeout(asked.get("timeout_s", ANSWER_TIMEOUT_S)),
                # What a POST is sent on to gets a GET, by many a proxy.
                allow_redirects=False,
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as trouble:
            raise self._unreachable(trouble) from trouble
        try:
            async with response:
                if response.status not in asked.get("accept", ()):
                    await self._check(response)
                yield response
        except aiohttp.ClientError as trouble:
            raise self._unreachable(trouble) from trouble

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        """Raises what an answer tells of a problem, or of being another program's."""
        status = response.status
        if 300 <= status < 400:
            where = response.headers.get("Location", "nowhere")
            raise ServiceUnreachable(
                f"{shown_url(self.base_url)} sends its callers on to {where}: name that address.",
                {"url": shown_url(self.base_url), "location": where},
            )
        # This service answers in JSON what it does not have, and its programs by no page.
        is_page = response.content_type == "text/html" and ANSWERED_BY not in response.headers
        if (status < 300 and is_page) or (
            status == 404 and not response.content_type.endswith("json")
        ):
            raise self._unreachable(ValueError("what answers is another program"))
        if status >= 400:
            raise error_for_problem(status, await self._body(response))

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
            f"No orchestration service answers at {shown_url(self.base_url)}:"
            " start one with `orchestration up`, or name another with --url.",
            {"url": shown_url(self.base_url), "reason": str(reason) or type(reason).__name__},
        )


def shown_url(base_url: str) -> str:
    """A service's address without the user and password that it may have in it."""
    scheme, mark, rest = base_url.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _timeout(silence_s: float) -> aiohttp.ClientTimeout:
    """As long as an answer goes on, it may take any time."""
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=silence_s)


def session_path(session_id: str, rest: str = "") -> str:
    """The path of a session, or of something of it."""
    return f"/api/sessions/{quote(session_id, safe='')}{rest}"


def given(**fields: JsonValue) -> JsonObject:
    """Those of the fields that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def _present(query: dict[str, Any] | None) -> list[tuple[str, str]]:
    return [
        (key, str(one))
        for key, value in (query or {}).items()
        if value is not None
        for one in (value if isinstance(value, list) else [value])
    ]
