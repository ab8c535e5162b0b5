"""Requests of others, passed on to the services behind: whichever of them is due and well.

The answer is streamed as it comes. A request is tried again at another service only where that
cannot do a thing twice: when it was never sent, or when its method says so (RFC 9110, 9.2.2).
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

from orchestration.errors import (
    EngineError,
    EngineTimeout,
    JsonValue,
    UnknownService,
    UpstreamsDown,
)

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
RETRY_STATUSES = frozenset({502, 503, 504})
"""A service that answers so has not served the request, and another may."""
REDIRECTS = range(300, 400)
NOT_MODIFIED = 304

CONNECT_TIMEOUT_S = 5.0
OPEN_AFTER_FAILURES = 5
"""Failures in a row after which a service gets no requests for `OPEN_S`, and then one, to see."""
OPEN_S = 30.0
PIECE_BYTES = 65_536
MAX_CONNECTIONS = 256
"""To all services together; a further request waits."""


@dataclass(frozen=True, slots=True)
class GatewayUpstream:
    """A service that requests may go to; `bearer` is its own key, never the caller's."""

    url: str
    weight: int = 1
    bearer: str | None = None


class Body(Protocol):
    """A request's body: all of it where it is short, else as it comes."""

    whole: bytes | None

    def stream(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """What to pass on. `path` is encoded, relative, and inside its service; so is `query`."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: Body


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """A service's answer under way: read `body` to its end, or `close`."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: AsyncIterator[bytes]
    attempts: int
    close: Callable[[], None]


@dataclass(slots=True)
class _Turn:
    """A service, its place in the turns, and its circuit breaker."""

    base: URL
    weight: int
    headers: Mapping[str, str]
    current_weight: int = 0
    failures: int = 0
    open_until_s: float = 0.0

    def is_closed(self, now_s: float) -> bool:
        return self.failures < OPEN_AFTER_FAILURES or now_s >= self.open_until_s

    def failed(self, now_s: float) -> None:
        self.failures += 1
        if self.failures >= OPEN_AFTER_FAILURES:
            self.open_until_s = now_s + OPEN_S

    def tried_after_opening(self, now_s: float) -> None:
        """The one trial is under way: further requests wait for how it ends."""
        if self.failures >= OPEN_AFTER_FAILURES:
            self.open_until_s = now_s + OPEN_S


class HttpGateway:
    """Passes requests on by smooth weighted round robin over services whose circuit is closed."""

    def __init__(
        self,
        upstreams: Mapping[str, Sequence[GatewayUpstream]],
        *,
        timeout_s: float,
        tries: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`upstreams` by the name under which the pool is known; `timeout_s` is the longest wait
        for an answer to begin, or to go on."""
        self._pools = {
            name: [_turn(upstream) for upstream in members] for name, members in upstreams.items()
        }
        self._tries = tries
        self._clock = clock
        self._timeout_s = timeout_s
        self._client: aiohttp.ClientSession | None = None

    async def forward(self, service: str, request: GatewayRequest) -> GatewayAnswer:
        """The answer of a service of this pool.

        Raises:
            UnknownService: no pool has this name, or it has no service behind HTTP.
            UpstreamsDown: every service's circuit is open.
            EngineError, EngineTimeout: none answered.
        """
        pool = self._pools.get(service)
        if not pool:
            raise UnknownService(
                f"No {service} service is configured behind this gateway.", {"service": service}
            )
        untried, failures = list(pool), list[tuple[str, EngineError]]()
        while untried and len(failures) < self._tries:
            turn = self._next(untried)
            if turn is None:
                break
            untried.remove(turn)
            is_last = not untried or len(failures) + 1 == self._tries
            try:
                return await self._attempt(turn, request, len(failures) + 1, is_last=is_last)
            except _NotServed as fault:
                failures.append((str(turn.base), fault.error))
                if not fault.may_be_repeated:
                    break
        raise self._failure(service, failures)

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _next(self, untried: Sequence[_Turn]) -> _Turn | None:
        now_s = self._clock()
        ready = [turn for turn in untried if turn.is_closed(now_s)]
        if not ready:
            return None
        for turn in ready:
            turn.current_weight += turn.weight
        chosen = max(ready, key=lambda turn: turn.current_weight)
        chosen.current_weight -= sum(turn.weight for turn in ready)
        chosen.tried_after_opening(now_s)
        return chosen

    async def _attempt(
        self, turn: _Turn, request: GatewayRequest, number: int, *, is_last: bool
    ) -> GatewayAnswer:
        is_sent_whole = request.body.whole is not None
        repeatable = is_sent_whole and request.method in IDEMPOTENT
        try:
            response = await self._session().request(
                request.method,
                _target(turn.base, request),
                headers=[*request.headers, *turn.headers.items()],
                data=request.body.whole if is_sent_whole else request.body.stream(),
                allow_redirects=False,
            )
        except aiohttp.ClientConnectorError as error:
            turn.failed(self._clock())
            raise _NotServed(
                EngineError(f"{_public(turn.base)} cannot be reached."), is_sent_whole
            ) from error
        except TimeoutError as error:
            turn.failed(self._clock())
            message = f"{_public(turn.base)} did not answer within {self._timeout_s:g} s."
            raise _NotServed(EngineTimeout(message), repeatable) from error
        except aiohttp.ClientError as error:
            turn.failed(self._clock())
            message = f"{_public(turn.base)} broke the connection off."
            raise _NotServed(EngineError(message), repeatable) from error
        if response.status in RETRY_STATUSES and repeatable and not is_last:
            turn.failed(self._clock())
            response.close()
            raise _NotServed(EngineError(f"{_public(turn.base)} answered {response.status}."), True)
        if response.status in REDIRECTS and response.status != NOT_MODIFIED:
            response.close()
            message = f"{_public(turn.base)} answered with a redirect, which is not followed."
            raise _NotServed(EngineError(message), False)
        if response.status in RETRY_STATUSES:
            turn.failed(self._clock())
        else:
            turn.failures = 0
        headers = list(response.headers.items())
        return GatewayAnswer(response.status, headers, _pieces(response), number, response.close)

    def _failure(self, service: str, failures: Sequence[tuple[str, EngineError]]) -> EngineError:
        facts: dict[str, JsonValue] = {"service": service, "attempts": len(failures)}
        if not failures:
            return UpstreamsDown(
                f"Every {service} service has failed lately; try again later.",
                {**facts, "circuit_breaker": "open"},
            )
        last = failures[-1][1]
        return type(last)(last.message, {**last.facts, **facts})

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=self._timeout_s
            )
            self._client = aiohttp.ClientSession(
                timeout=timeout,
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._client


class _NotServed(Exception):
    """A service did not serve a request; `may_be_repeated` at another one."""

    def __init__(self, error: EngineError, may_be_repeated: bool) -> None:
        super().__init__(error, may_be_repeated)
        self.error = error
        self.may_be_repeated = may_be_repeated


def _turn(upstream: GatewayUpstream) -> _Turn:
    url = URL(upstream.url).with_query(None).with_fragment(None)
    base = url.with_user(None)
    headers: dict[str, str] = {}
    if upstream.bearer:
        headers["Authorization"] = f"Bearer {upstream.bearer}"
    elif url.user:
        headers["Authorization"] = aiohttp.BasicAuth(url.user, url.password or "").encode()
    return _Turn(base, upstream.weight, headers)


def _target(base: URL, request: GatewayRequest) -> URL:
    """The path below the service's own; encoded already, so that nothing is read into it."""
    path = f"{base.raw_path.rstrip('/')}/{request.path}"
    query = f"?{request.query}" if request.query else ""
    return URL(f"{base.scheme}://{base.raw_authority}{path}{query}", encoded=True)


def _public(base: URL) -> str:
    return str(base).rstrip("/")


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            yield piece
    finally:
        response.close()
