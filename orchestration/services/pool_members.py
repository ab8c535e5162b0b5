"""The engines of a pool: what they are given as, and which of them are still at work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from orchestration.errors import ConfigurationError
from orchestration.services.balancing.limits import LimitBounds
from orchestration.services.balancing.outliers import STREAK
from orchestration.services.balancing.upstream import UpstreamSnapshot
from orchestration.services.ports import EngineDescription, EngineStatus


class Engine(Protocol):
    """What all engines have in common."""

    async def check(self) -> EngineStatus: ...

    async def describe(self) -> EngineDescription: ...

    async def close(self) -> None: ...


EngineT = TypeVar("EngineT", bound=Engine)


@dataclass(frozen=True, slots=True)
class WeightedEngine(Generic[EngineT]):
    """An engine and its share of the requests among its peers."""

    name: str
    engine: EngineT
    weight: int = 1


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """How a pool deals its requests out."""

    limits: LimitBounds | None = field(default_factory=LimitBounds)
    """Requests at once at one engine, between which the pool finds how many it bears; None is no
    limit."""
    max_waiting: int = 256
    """Requests that wait for an engine; one more is refused to who has the most waiting."""
    least_latency: bool = False
    """Turns by latency instead of weight alone."""
    hedge: bool = False
    """Whether a request that takes longer than nine in ten is asked of another engine as well."""
    eject_after: int = STREAK
    """Failures and slow answers in a row after which an engine gets nothing for a while."""


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """A pool for metrics. `retries` are those that were made, hedged requests left out."""

    upstreams: tuple[UpstreamSnapshot, ...]
    waiting: int
    retries: int
    retries_refused: int
    retries_saved: int


@dataclass(slots=True)
class Member(Generic[EngineT]):
    """An engine of the pool, or one that left it and is closed when its requests have ended."""

    name: str
    engine: EngineT
    under_way: int = 0
    is_leaving: bool = False

    async def close_if_left(self) -> None:
        if self.is_leaving and not self.under_way:
            await self.engine.close()


class Members(Generic[EngineT]):
    """The engines of a pool by name."""

    def __init__(self, upstreams: Sequence[WeightedEngine[EngineT]]) -> None:
        self._by_name = {one.name: Member(one.name, one.engine) for one in upstreams}

    def __getitem__(self, name: str) -> Member[EngineT]:
        return self._by_name[name]

    @property
    def all(self) -> tuple[Member[EngineT], ...]:
        return tuple(self._by_name.values())

    async def apply(
        self, upstreams: Sequence[WeightedEngine[EngineT]], before_closing: Callable[[], None]
    ) -> None:
        """These from now on. Those that left are closed after their last request."""
        before = self._by_name
        self._by_name = {}
        for one in upstreams:
            known = before.get(one.name)
            stays = known is not None and known.engine is one.engine
            self._by_name[one.name] = known if known and stays else Member(one.name, one.engine)
        before_closing()
        for left in before.values():
            if self._by_name.get(left.name) is not left:
                left.is_leaving = True
                await left.close_if_left()


def weights_of(upstreams: Sequence[WeightedEngine[EngineT]]) -> dict[str, int]:
    """Weights by name.

    Raises:
        ConfigurationError: two upstreams of one name would be one to the balancer; a weight is
            below 0, or none is above.
    """
    weights = {one.name: one.weight for one in upstreams}
    if len(weights) < len(upstreams) or min(weights.values(), default=0) < 0:
        raise ConfigurationError(
            "Each service may be named once in its pool, with a weight of at least 0; one of "
            "weight 2 gets twice the requests of one of weight 1."
        )
    if not any(weights.values()):
        raise ConfigurationError("At least one engine is needed with a weight over 0.")
    return weights
