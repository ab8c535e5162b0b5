"""One HTTP service behind this one: bounded, timed, its failures in this project's errors."""

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import perf_counter_ns

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from orchestration.errors import ConfigurationError, EngineError, EngineRefused, EngineTimeout
from orchestration.json_types import JsonValue
from orchestration.services.plain_text import plain_text

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Largest body that is read from an upstream; a larger one is an error."""

MAX_CONNECTIONS = 100
"""Connections to one upstream; a further request waits, within its own timeout."""

CHECK_TIMEOUT_S = 5.0
"""Longest that a probe waits, however long requests may."""

EXCERPT_CHARACTERS = 200
"""How much of a useless answer goes into the error."""


REFUSALS = frozenset({400, 413, 415, 422})
"""Statuses that say the same request will never do; any other failure may pass."""


class HttpUpstream:
    """Requests to one base URL with JSON answers.

    User and password in the URL are sent as basic authentication; a `bearer` takes their place.
    Neither appears in an error, nor do further `secrets`. Redirects are not followed: they would
    take both, and the meeting's audio, to somebody else.

    A session that is given stays the giver's to close.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        session: aiohttp.ClientSession | None,
        bearer: str | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        try:
            url = URL(base_url)
        except ValueError as error:
            raise ConfigurationError(f"{error} in a service's URL.") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigurationError("A service's URL must begin with http:// or https://.")
        url = url.with_query(None).with_fragment(None)
        self._public = url.with_user(None)
        self._base = self._public if bearer else url
        self._secrets = tuple(one for one in (bearer, url.password, *secrets) if one)
        self._headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        self._timeout_s = timeout_s
        self._session = session
        self._owns_session = session is None

    @property
    def name(self) -> str:
        """The base URL without credentials."""
        return str(self._public).rstrip("/")

    async def post(
        self, path: str, *, form: aiohttp.FormData | None = None, body: JsonValue = None
    ) -> JsonValue:
        """POST a form, or else JSON, and return the JSON answered.

        Raises:
            EngineError: no connection, a status other than 200, or a body that is no JSON.
            EngineTimeout: no complete answer in time.
        """
        return await self._request("POST", path, form, body)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> JsonValue:
        """GET JSON; raises as `post` does."""
        return await self._request("GET", path, query=query)

    async def probe(self, path: str) -> tuple[int, int]:
        """GET, and return the status and the latency in milliseconds; raises as `post` does."""
        began_ns = perf_counter_ns()
        status, _, _ = await self._exchange("GET", path, min(self._timeout_s, CHECK_TIMEOUT_S))
        return status, (perf_counter_ns() - began_ns) // 1_000_000

    async def close(self) -> None:
        """Close the connections, unless the session was given."""
        if self._owns_session and self._session is not None:
            await self._session.close()
            self._session = None

    async def _request(
        self,
        method: str,
        path: str,
        form: aiohttp.FormData | None = None,
        json_body: JsonValue = None,
        query: Mapping[str, str] | None = None,
    ) -> JsonValue:
        status, headers, body = await self._exchange(
            method, path, self._timeout_s, form, json_body, query
        )
        if status != HTTPStatus.OK:
            kind = EngineRefused if status in REFUSALS else EngineError
            raise kind(
                f"{self.name} answered {status}.",
                self._facts(path, status, body) | _retry_after(headers),
            )
        try:
            answer: JsonValue = json.loads(body)
        except (ValueError, RecursionError) as error:
            facts = self._facts(path, status, body)
            raise EngineError(f"{self.name} did not answer with JSON.", facts) from error
        return answer

    async def _exchange(
        self,
        method: str,
        path: str,
        timeout_s: float,
        form: aiohttp.FormData | None = None,
        json_body: JsonValue = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, CIMultiDictProxy[str], bytes]:
        try:
            async with self._client().request(
                method,
                self._base.joinpath(path),
                params=query,
                data=form,
                json=json_body,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
            ) as response:
                body = await self._read(path, response)
                return response.status, response.headers, body
        except TimeoutError as error:
            facts: dict[str, JsonValue] = {"url": self._url(path), "timeout_s": timeout_s}
            message = f"{self.name} did not answer within {timeout_s:g} s."
            raise EngineTimeout(message, facts) from error
        except aiohttp.ClientError as error:
            reason = self._without_secrets(str(error) or type(error).__name__)
            facts = {"url": self._url(path), "reason": reason}
            # The cause is left out: its text may carry the URL with its credentials.
            raise EngineError(f"{self.name} cannot be reached: {reason}.", facts) from None

    async def _read(self, path: str, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                facts = self._facts(path, response.status, bytes(body))
                raise EngineError(
                    f"{self.name} answered with more than {MAX_ANSWER_BYTES} bytes.",
                    facts | {"limit": "max_answer_bytes", "max_answer_bytes": MAX_ANSWER_BYTES},
                )
        return bytes(body)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS)
            )
        return self._session

    def _url(self, path: str) -> str:
        return str(self._public.joinpath(path))

    def _facts(self, path: str, status: int, body: bytes) -> dict[str, JsonValue]:
        start = body[: 8 * EXCERPT_CHARACTERS].decode("utf-8", "replace")
        excerpt = plain_text(self._without_secrets(start))[:EXCERPT_CHARACTERS]
        return {"url": self._url(path), "status": status, "excerpt": excerpt}

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _retry_after(headers: CIMultiDictProxy[str]) -> dict[str, JsonValue]:
    """`retry_after_s` from a Retry-After header, in seconds or as a date (RFC 9110, 10.2.3).

    A date is compared with the upstream's own, so that our clocks need not agree.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return {"retry_after_s": int(value)}
    then, now = _http_date(value), _http_date(headers.get("Date", ""))
    if then is None or now is None:
        return {}
    return {"retry_after_s": max(0, round((then - now).total_seconds()))}


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # A date without a zone cannot be subtracted from one with.
    return moment if moment.tzinfo else None
