"""Several engines as one: weighted turns, and another engine when one fails."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar

from orchestration.errors import (
    ConfigurationError,
    EngineError,
    EngineTimeout,
    JsonValue,
    UnsupportedLanguagePair,
)
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
class UpstreamCounters:
    """What one engine did since the start; `latency_ms` is of its last answer."""

    name: str
    calls: int
    failures: int
    latency_ms: int
    last_error: str


@dataclass(slots=True)
class _Upstream(Generic[EngineT]):
    name: str
    engine: EngineT
    weight: int
    current_weight: int = 0
    calls: int = 0
    failures: int = 0
    latency_ms: int = 0
    last_error: str = ""


@dataclass(slots=True)
class _Attempts(Generic[EngineT]):
    """One request's way through the upstreams."""

    untried: list[_Upstream[EngineT]]
    tries_left: int
    failures: list[tuple[str, EngineError]] = field(default_factory=list)
    unsupported: UnsupportedLanguagePair | None = None


class Balanced(Generic[EngineT]):
    """Weighted round robin over engines of one kind.

    A request goes to an engine in turn, and after a failure to another one, `tries` in all. The
    tries share one deadline: each may take the time left divided by the tries left, so that an
    engine that hangs leaves time for the next. An engine without the language pair is no failure
    and no try. `clock` counts seconds, monotonically.
    """

    kind = "balanced"

    def __init__(
        self,
        upstreams: Sequence[WeightedEngine[EngineT]],
        *,
        timeout_s: float,
        tries: int = 3,
        rng: random.Random | None = None,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not upstreams or any(one.weight < 1 for one in upstreams):
            raise ConfigurationError("At least one engine is needed, each with a weight over 0.")
        self._upstreams = [_Upstream(one.name, one.engine, one.weight) for one in upstreams]
        self._timeout_s = timeout_s
        self._tries = tries
        self._rng = rng or random.Random()
        self._clock = clock
        self._sleep = sleep

    def counters(self) -> tuple[UpstreamCounters, ...]:
        """What each engine did, in the order they were given."""
        return tuple(
            UpstreamCounters(one.name, one.calls, one.failures, one.latency_ms, one.last_error)
            for one in self._upstreams
        )

    async def check_each(self) -> tuple[EngineStatus, ...]:
        """Probe all engines at once, in the order they were given; never raises."""
        return tuple(await asyncio.gather(*(one.engine.check() for one in self._upstreams)))

    async def check(self) -> EngineStatus:
        """Healthy while any engine is; `detail` says which are not, and why. Never raises."""
        statuses = await self.check_each()
        healthy = [status for status in statuses if status.healthy]
        failing = [f"{one.name}: {one.detail}" for one in statuses if not one.healthy]
        if len(statuses) == 1:
            return statuses[0]
        latency_ms = min((status.latency_ms for status in healthy), default=0)
        name = ", ".join(one.name for one in self._upstreams)
        return EngineStatus(name, self.kind, bool(healthy), latency_ms, "; ".join(failing))

    async def close(self) -> None:
        """Close all engines."""
        await asyncio.gather(*(one.engine.close() for one in self._upstreams))

    async def _call(self, ask: Callable[[EngineT], Awaitable[AnswerT]]) -> AnswerT:
        """The first useful answer; raises what the ports say."""
        deadline_s = self._clock() + self._timeout_s
        tries = min(self._tries, len(self._upstreams))
        attempts = _Attempts(list(self._upstreams), tries)
        while attempts.untried and attempts.tries_left:
            if attempts.failures:
                ceiling_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** len(attempts.failures))
                await self._sleep(self._rng.uniform(0, ceiling_s))
            left_s = deadline_s - self._clock()
            if left_s <= 0:
                break
            upstream = _next_in_turn(attempts.untried)
            attempts.untried.remove(upstream)
            try:
                return await self._ask(upstream, ask, left_s / attempts.tries_left)
            except UnsupportedLanguagePair as error:
                attempts.unsupported = error
                attempts.tries_left = min(attempts.tries_left, len(attempts.untried))
            except EngineError as error:
                attempts.failures.append((upstream.name, error))
                attempts.tries_left -= 1
        raise self._failure(attempts)

    async def _ask(
        self,
        upstream: _Upstream[EngineT],
        ask: Callable[[EngineT], Awaitable[AnswerT]],
        timeout_s: float,
    ) -> AnswerT:
        upstream.calls += 1
        began_s = self._clock()
        try:
            async with asyncio.timeout(timeout_s):
                answer = await ask(upstream.engine)
        except TimeoutError as error:
            message = f"{upstream.name} did not answer within {timeout_s:.3g} s."
            upstream.failures += 1
            upstream.last_error = message
            raise EngineTimeout(message, {"timeout_s": timeout_s}) from error
        except EngineError as error:
            upstream.failures += 1
            upstream.last_error = error.message
            raise
        upstream.latency_ms = round((self._clock() - began_s) * 1000)
        return answer

    def _failure(self, attempts: _Attempts[EngineT]) -> Exception:
        if attempts.unsupported and not attempts.failures and not attempts.untried:
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

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Words of one chunk; raises as the port says."""
        return await self._call(lambda engine: engine.transcribe(request))


class BalancedTranslation(Balanced[TranslationEngine]):
    """A TranslationEngine over several."""

    async def translate(self, request: TranslationRequest) -> str:
        """The text in the target language; raises as the port says.

        UnsupportedLanguagePair means that every engine was asked and none has the pair.
        """
        return await self._call(lambda engine: engine.translate(request))


def _next_in_turn(upstreams: Sequence[_Upstream[EngineT]]) -> _Upstream[EngineT]:
    """Nginx's smooth weighted round robin: shares by weight, without bursts to the heaviest.

    Everyone gains its weight, the richest serves and pays what all gained together.
    """
    for one in upstreams:
        one.current_weight += one.weight
    chosen = max(upstreams, key=lambda one: one.current_weight)
    chosen.current_weight -= sum(one.weight for one in upstreams)
    return chosen
