"""The services that the gateway may pass a request to, and one try at one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from yarl import URL

from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.upstream import Lease


@dataclass(frozen=True, slots=True)
class GatewayUpstream:
    """A service that requests may go to; `bearer` is its own key, never the caller's."""

    url: str
    weight: int = 1
    bearer: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where a service is, and what it is told of who asks."""

    base: URL
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        return str(self.base).rstrip("/")


@dataclass(slots=True)
class Pool:
    """The services of one name. Callers get 503 at once while all of them fail."""

    targets: dict[str, Target]
    balancer: Balancer

    def apply(self, upstreams: Sequence[GatewayUpstream], now_ms: int) -> None:
        """These services from now on. Who stays keeps its record, and may have another key."""
        self.targets = _targets(upstreams)
        self.balancer.apply(_weights(upstreams), now_ms)


@dataclass(slots=True)
class Passage:
    """One try at a service, until its answer has been passed on. It ends once."""

    pool: Pool
    target: Target
    lease: Lease
    clock: Callable[[], float]
    may_be_tried_again: bool
    """Whether another service is left, and tries."""
    is_over: bool = False
    answered_ms: int | None = None
    response: aiohttp.ClientResponse | None = None

    def answer_began(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.answered_ms = now_ms(self.clock())

    def served(self) -> None:
        """The answer is through, or its reader is gone: a slow one is no fault of the service."""
        if not self.is_over:
            self.is_over = True
            self.pool.balancer.answered(self.lease, now_ms(self.clock()), self.answered_ms)

    def failed(self) -> None:
        if not self.is_over:
            self.is_over = True
            self.pool.balancer.failed(self.lease, now_ms(self.clock()))

    def abandoned(self) -> None:
        if not self.is_over:
            self.is_over = True
            self.pool.balancer.abandoned(self.lease, now_ms(self.clock()))

    def take_retry(self) -> bool:
        """Whether the request may go to another service; if so, that is paid for."""
        return self.may_be_tried_again and self.pool.balancer.budget.take()

    def close(self) -> None:
        """Nobody reads on."""
        if self.response is not None:
            self.response.close()
        self.served()


def pool_of(upstreams: Sequence[GatewayUpstream], eject_after: int) -> Pool:
    """A pool of these services, each named by its URL; so many failures in a row open a circuit."""
    balancer = Balancer(
        _weights(upstreams), all_may_be_out=True, ejects_slow=False, eject_after=eject_after
    )
    return Pool(_targets(upstreams), balancer)


def _targets(upstreams: Sequence[GatewayUpstream]) -> dict[str, Target]:
    targets = [_target(upstream) for upstream in upstreams]
    return {one.name: one for one in targets}


def _weights(upstreams: Sequence[GatewayUpstream]) -> dict[str, int]:
    return {_target(upstream).name: upstream.weight for upstream in upstreams}


def _target(upstream: GatewayUpstream) -> Target:
    url = URL(upstream.url).with_query(None).with_fragment(None)
    base = url.with_user(None)
    headers: dict[str, str] = {}
    if upstream.bearer:
        headers["Authorization"] = f"Bearer {upstream.bearer}"
    elif url.user:
        headers["Authorization"] = aiohttp.BasicAuth(url.user, url.password or "").encode()
    return Target(base, headers)


def now_ms(seconds: float) -> int:
    """A clock's seconds in whole milliseconds."""
    return round(seconds * 1000)
