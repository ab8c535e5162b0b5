"""Several engines as one: weighted turns without those that fail, and another one on failure."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar

from orchestration.errors import (
    ConfigurationError,
    EngineError,
    EngineRefused,
    EngineTimeout,
    JsonValue,
    UnsupportedLanguagePair,
)
from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter
from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.retry_budget import RETRY_COST
from orchestration.services.balancing.upstream import Lease, UpstreamSnapshot
from orchestration.services.ports import (
    EngineStatus,
    Hypothesis,
    TranscriptionEngine,
    TranscriptionRequest,
    TranslationEngine,
    TranslationRequest,
)

BACKOFF_BASE_S = 0.1
BACKOFF_CAP_S = 2.0
"""Before try n (from 1) there is a pause of 0 to min(cap, base * 2 ** n) seconds, uniformly:
"full jitter" (M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015)."""


class Engine(Protocol):
    """What all engines have in common."""

    async def check(self) -> EngineStatus: ...

    async def close(self) -> None: ...


EngineT = TypeVar("EngineT", bound=Engine)
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class WeightedEngine(Generic[EngineT]):
    """An engine and its share of the requests among its peers."""

    name: str
    engine: EngineT
    weight: int = 1


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """A pool for health and metrics. `last_errors` is by upstream, of those that had any."""

    upstreams: tuple[UpstreamSnapshot, ...]
    retries: int
    retries_refused: int
    retries_saved: int
    last_errors: dict[str, str]


@dataclass(slots=True)
class _Member(Generic[EngineT]):
    """An engine of the pool, or one that left it and is closed when its requests have ended."""

    name: str
    engine: EngineT
    under_way: int = 0
    is_leaving: bool = False
    last_error: str = ""

    async def close_if_left(self) -> None:
        if self.is_leaving and not self.under_way:
            await self.engine.close()


@dataclass(slots=True)
class _Attempts:
    """One request's way through the engines."""

    tries_left: int
    tried: set[str] = field(default_factory=set)
    failures: list[tuple[str, EngineError]] = field(default_factory=list)
    unsupported: UnsupportedLanguagePair | None = None


class Balanced(Generic[EngineT]):
    """Engines of one kind behind a `Balancer`: weighted turns without those that fail.

    A failed request goes to another engine, `tries` in all, as long as the pool's retry budget
    lasts. The tries share one deadline: each may take the time left divided by the tries left, so
    that an engine that hangs leaves time for the next. An engine without the language pair is no
    failure and no try. What an engine refuses is not asked again. `clock` counts seconds,
    monotonically. How long each engine took goes to `meter`, under the pool's name.
    """

    kind = "balanced"
    pool = "engines"

    def __init__(
        self,
        upstreams: Sequence[WeightedEngine[EngineT]],
        *,
        timeout_s: float,
        tries: int = 3,
        rng: random.Random | None = None,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        meter: Meter | None = None,
    ) -> None:
        self._balancer = Balancer(_weights(upstreams))
        self._members = {one.name: _Member(one.name, one.engine) for one in upstreams}
        self._timeout_s = timeout_s
        self._tries = tries
        self._rng = rng or random.Random()
        self._clock = clock
        self._sleep = sleep
        self._meter = meter

    async def apply(self, upstreams: Sequence[WeightedEngine[EngineT]]) -> None:
        """These engines from now on; one of weight 0 is drained: it gets no more requests.

        Requests under way end where they are, and an engine that left is closed after its last.

        Raises:
            ConfigurationError: nothing would be left to ask; the pool stays as it was.
        """
        self._balancer.apply(_weights(upstreams), self._now_ms())
        before = self._members
        self._members = {}
        for one in upstreams:
            known = before.get(one.name)
            stays = known is not None and known.engine is one.engine
            self._members[one.name] = known if known and stays else _Member(one.name, one.engine)
        for left in before.values():
            if self._members.get(left.name) is not left:
                left.is_leaving = True
                await left.close_if_left()

    def snapshot(self) -> PoolSnapshot:
        """The pool as it stands, its engines in the order they were given."""
        budget = self._balancer.budget
        return PoolSnapshot(
            self._balancer.snapshot(),
            budget.retries,
            budget.refused,
            budget.saved // RETRY_COST,
            {one.name: one.last_error for one in self._members.values() if one.last_error},
        )

    async def check_each(self) -> tuple[EngineStatus, ...]:
        """Probe all engines at once, in the order they were given; never raises."""
        return tuple(await asyncio.gather(*(one.engine.check() for one in self._members.values())))

    async def check(self) -> EngineStatus:
        """Healthy while any engine is; `detail` says which are not, and why. Never raises."""
        statuses = await self.check_each()
        healthy = [status for status in statuses if status.healthy]
        failing = [f"{one.name}: {one.detail}" for one in statuses if not one.healthy]
        if len(statuses) == 1:
            return statuses[0]
        latency_ms = min((status.latency_ms for status in healthy), default=0)
        name = ", ".join(self._members)
        return EngineStatus(name, self.kind, bool(healthy), latency_ms, "; ".join(failing))

    async def close(self) -> None:
        """Close all engines."""
        await asyncio.gather(*(one.engine.close() for one in self._members.values()))

    async def _call(self, ask: Callable[[EngineT], Awaitable[AnswerT]]) -> AnswerT:
        """The first useful answer; raises what the ports say."""
        deadline_s = self._clock() + self._timeout_s
        self._balancer.budget.request()
        attempts = _Attempts(min(self._tries, self._balancer.count_untried()))
        while attempts.tries_left:
            left_s = deadline_s - self._clock()
            lease = self._balancer.choose(self._now_ms(), attempts.tried) if left_s > 0 else None
            if lease is None:
                break
            attempts.tried.add(lease.name)
            try:
                return await self._ask(lease, ask, left_s / attempts.tries_left)
            except UnsupportedLanguagePair as error:
                attempts.unsupported = error
            except EngineRefused:
                raise
            except EngineError as error:
                attempts.failures.append((lease.name, error))
                attempts.tries_left -= 1
                if attempts.tries_left and not await self._pause_before_retry(attempts):
                    break
            untried = self._balancer.count_untried(attempts.tried)
            attempts.tries_left = min(attempts.tries_left, untried)
        raise self._failure(attempts)

    async def _pause_before_retry(self, attempts: _Attempts) -> bool:
        """Wait for the next try; False at once if the budget has none left."""
        if not self._balancer.budget.take():
            return False
        ceiling_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** len(attempts.failures))
        await self._sleep(self._rng.uniform(0, ceiling_s))
        return True

    async def _ask(
        self, lease: Lease, ask: Callable[[EngineT], Awaitable[AnswerT]], timeout_s: float
    ) -> AnswerT:
        member = self._members[lease.name]
        member.under_way += 1
        end = self._balancer.abandoned
        try:
            async with asyncio.timeout(timeout_s):
                answer = await ask(member.engine)
            end = self._balancer.answered
            return answer
        except TimeoutError as error:
            end = self._balancer.failed
            message = f"{lease.name} did not answer within {timeout_s:.3g} s."
            member.last_error = message
            raise EngineTimeout(message, {"timeout_s": timeout_s}) from error
        except (EngineRefused, UnsupportedLanguagePair):
            end = self._balancer.answered
            raise
        except EngineError as error:
            end = self._balancer.failed
            member.last_error = error.message
            raise
        finally:
            now_ms = self._now_ms()
            end(lease, now_ms)
            if self._meter is not None and end != self._balancer.abandoned:
                elapsed_s = (now_ms - lease.began_ms) / 1000
                self._meter.observe(catalogue.UPSTREAM_SECONDS, elapsed_s, self.pool, lease.name)
            member.under_way -= 1
            await member.close_if_left()

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _failure(self, attempts: _Attempts) -> Exception:
        untried = self._balancer.count_untried(attempts.tried)
        if attempts.unsupported and not attempts.failures and not untried:
            return attempts.unsupported
        if not attempts.failures:
            message = f"No engine answered within {self._timeout_s:g} s."
            return EngineTimeout(message, {"timeout_s": self._timeout_s})
        if len(attempts.failures) == 1:
            return attempts.failures[0][1]
        errors: dict[str, JsonValue] = {name: str(one) for name, one in attempts.failures}
        timed_out = all(isinstance(one, EngineTimeout) for _, one in attempts.failures)
        kind = EngineTimeout if timed_out else EngineError
        message = f"{len(errors)} engines failed, the last: {attempts.failures[-1][1]}"
        return kind(message, {"errors": errors, "timeout_s": self._timeout_s})


class BalancedTranscription(Balanced[TranscriptionEngine]):
    """A TranscriptionEngine over several."""

    pool = "whisper"

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Words of one chunk; raises as the port says."""
        return await self._call(lambda engine: engine.transcribe(request))


class BalancedTranslation(Balanced[TranslationEngine]):
    """A TranslationEngine over several."""

    pool = "translation"

    async def translate(self, request: TranslationRequest) -> str:
        """The text in the target language; raises as the port says.

        UnsupportedLanguagePair means that every engine was asked and none has the pair.
        """
        return await self._call(lambda engine: engine.translate(request))


def _weights(upstreams: Sequence[WeightedEngine[EngineT]]) -> dict[str, int]:
    """Weights by name. Two upstreams of one name would be one to the balancer."""
    weights = {one.name: one.weight for one in upstreams}
    if len(weights) < len(upstreams) or min(weights.values(), default=0) < 0:
        raise ConfigurationError(
            "Each service may be named once in its pool, with a weight of at least 0; one of "
            "weight 2 gets twice the requests of one of weight 1."
        )
    if not any(weights.values()):
        raise ConfigurationError("At least one engine is needed with a weight over 0.")
    return weights
