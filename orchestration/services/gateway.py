"""Requests of others, passed on to the services behind: whichever of them is due and well.

The answer is streamed as it comes. A request is tried again at another service only where that
cannot do a thing twice: when it was never sent, or when its method says so (RFC 9110, 9.2.2), and
only while the pool's retry budget lasts.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

from orchestration.errors import EngineError, EngineTimeout, UnknownService, UpstreamsDown
from orchestration.json_types import JsonValue
from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter
from orchestration.services.balancing.outliers import STREAK
from orchestration.services.balancing.policies import next_in_turn
from orchestration.services.balancing.upstream import UpstreamSnapshot
from orchestration.services.gateway_pool import (
    GatewayUpstream,
    Passage,
    Pool,
    now_ms,
    pool_of,
)

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
RETRY_STATUSES = frozenset({502, 503, 504})
"""A service that answers so has not served the request, and another may."""
REDIRECTS = range(300, 400)
NOT_MODIFIED = 304

CONNECT_TIMEOUT_S = 5.0
PIECE_BYTES = 65_536
SHORT_BYTES = 65_536
"""An answer that says to be no longer is taken in whole, which costs less than passing pieces."""
MAX_CONNECTIONS = 256
"""To all services together; a further request waits."""


class Body(Protocol):
    """A request's body: all of it where it is short, else as it comes. `fault` is why the caller
    did not go on sending it."""

    whole: bytes | None
    fault: Exception | None

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
    """A service's answer under way: `whole` where it is short, else read `body` to its end, or
    `close`."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: AsyncIterator[bytes]
    attempts: int
    close: Callable[[], None]
    whole: bytes | None = None


class HttpGateway:
    """Passes requests on by way of one balancer for each pool."""

    def __init__(
        self,
        upstreams: Mapping[str, Sequence[GatewayUpstream]],
        *,
        timeout_s: float,
        tries: int,
        eject_after: int = STREAK,
        clock: Callable[[], float] = time.monotonic,
        meter: Meter | None = None,
    ) -> None:
        """`upstreams` by the name under which the pool is known; `timeout_s` is the longest wait
        for an answer to begin, or to go on; `eject_after` failures in a row open a circuit."""
        self._eject_after = eject_after
        self._pools = {
            name: pool_of(members, eject_after) for name, members in upstreams.items() if members
        }
        self._tries = tries
        self._clock = clock
        self._timeout_s = timeout_s
        self._meter = meter
        self._client: aiohttp.ClientSession | None = None

    def apply(self, upstreams: Mapping[str, Sequence[GatewayUpstream]]) -> None:
        """These services from now on; requests under way go on where they are."""
        for name in self._pools.keys() - {name for name, members in upstreams.items() if members}:
            del self._pools[name]
        for name, members in upstreams.items():
            if name in self._pools:
                self._pools[name].apply(members, now_ms(self._clock()))
            elif members:
                self._pools[name] = pool_of(members, self._eject_after)

    def tune(self, *, timeout_s: float, tries: int, eject_after: int) -> None:
        """Wait, try and eject like this from now on; what is under way waits as it began."""
        self._timeout_s, self._tries, self._eject_after = timeout_s, tries, eject_after
        for pool in self._pools.values():
            pool.balancer.tune(None, next_in_turn, eject_after)

    def snapshot(self) -> dict[str, tuple[UpstreamSnapshot, ...]]:
        """Each pool as it stands, by its name."""
        return {name: pool.balancer.snapshot() for name, pool in self._pools.items()}

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
        began_s, result = self._clock(), "failed"
        try:
            answer = await self._answer(service, pool, request)
            result = "answered"
            return answer
        finally:
            if self._meter is not None:
                self._meter.count(catalogue.GATEWAY_REQUESTS, 1, service, result)
                elapsed_s = self._clock() - began_s
                self._meter.observe(catalogue.GATEWAY_SECONDS, elapsed_s, service)

    async def _answer(self, service: str, pool: Pool, request: GatewayRequest) -> GatewayAnswer:
        pool.balancer.budget.request()
        tried, failures = set[str](), list[EngineError]()
        while len(failures) < self._tries:
            lease = pool.balancer.choose(now_ms(self._clock()), tried)
            if lease is None:
                break
            tried.add(lease.name)
            is_last = len(tried) == self._tries or not pool.balancer.count_untried(tried)
            passage = Passage(pool, pool.targets[lease.name], lease, self._clock, not is_last)
            try:
                return await self._attempt(passage, request, len(tried))
            except _NotServed as fault:
                failures.append(fault.error)
                if not fault.is_tried_again:
                    break
            except BaseException:
                passage.abandoned()
                raise
        raise self._failure(service, failures)

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _attempt(
        self, passage: Passage, request: GatewayRequest, number: int
    ) -> GatewayAnswer:
        target, whole, timeout_s = passage.target, request.body.whole, self._timeout_s
        may_be_repeated = whole is not None and request.method in IDEMPOTENT
        try:
            response = await self._session().request(
                request.method,
                _url(target.base, request),
                headers=[*request.headers, *target.headers.items()],
                data=request.body.stream() if whole is None else whole or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=timeout_s
                ),
            )
        except aiohttp.ClientConnectorError as error:
            fault = EngineError(f"{target.name} cannot be reached.")
            raise self._not_served(passage, fault, whole is not None) from error
        except TimeoutError as error:
            message = f"{target.name} did not answer within {timeout_s:g} s."
            raise self._not_served(passage, EngineTimeout(message), may_be_repeated) from error
        except aiohttp.ClientError as error:
            if request.body.fault is not None:
                raise request.body.fault from error  # The service is not to blame.
            fault = EngineError(f"{target.name} broke the connection off.")
            raise self._not_served(passage, fault, may_be_repeated) from error
        passage.answer_began(response)
        is_failure = response.status in RETRY_STATUSES
        if is_failure:
            passage.failed()
            if may_be_repeated and passage.take_retry():
                response.close()
                raise _NotServed(EngineError(f"{target.name} answered {response.status}."), True)
        if response.status in REDIRECTS and response.status != NOT_MODIFIED:
            passage.close()
            message = f"{target.name} answered with a redirect, which is not followed."
            raise _NotServed(EngineError(message), False)
        return await self._passed_on(passage, response, number)

    def _not_served(
        self, passage: Passage, error: EngineError, may_be_repeated: bool
    ) -> "_NotServed":
        passage.failed()
        return _NotServed(error, may_be_repeated and passage.take_retry())

    async def _passed_on(
        self, passage: Passage, response: aiohttp.ClientResponse, number: int
    ) -> GatewayAnswer:
        headers = list(response.headers.items())
        whole = None
        if (response.content_length or SHORT_BYTES + 1) <= SHORT_BYTES:
            try:
                whole = await response.read()
            except (TimeoutError, aiohttp.ClientError) as error:
                fault = EngineError(f"{passage.target.name} broke its answer off.")
                raise self._not_served(passage, fault, False) from error
            passage.served()
        return GatewayAnswer(
            response.status, headers, _pieces(passage, response), number, passage.close, whole
        )

    def _failure(self, service: str, failures: Sequence[EngineError]) -> EngineError:
        facts: dict[str, JsonValue] = {"service": service, "attempts": len(failures)}
        if not failures:
            return UpstreamsDown(
                f"Every {service} service has failed lately; try again later.",
                {**facts, "circuit_breaker": "open"},
            )
        last = failures[-1]
        return type(last)(last.message, {**last.facts, **facts})

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._client


class _NotServed(Exception):
    """A service did not serve a request; another one is tried, or not."""

    def __init__(self, error: EngineError, is_tried_again: bool) -> None:
        super().__init__(error, is_tried_again)
        self.error = error
        self.is_tried_again = is_tried_again


def _url(base: URL, request: GatewayRequest) -> URL:
    """The path below the service's own; encoded already, so that nothing is read into it."""
    path = f"{base.raw_path.rstrip('/')}/{request.path}"
    query = f"?{request.query}" if request.query else ""
    return URL(f"{base.scheme}://{base.raw_authority}{path}{query}", encoded=True)


async def _pieces(passage: Passage, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            yield piece
    except (TimeoutError, aiohttp.ClientError):
        passage.failed()
        raise
    finally:
        passage.close()
