"""Several engines as one: weighted turns without those that fail, and another one on failure."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, Generic, TypeVar

from orchestration.errors import (
    EngineError,
    EngineRefused,
    EngineTimeout,
    UnsupportedLanguagePair,
)
from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter
from orchestration.services.attempts import Attempts
from orchestration.services.balancing.balancer import Balancer
from orchestration.services.balancing.hedging import Hedging
from orchestration.services.balancing.policies import Policy, least_latency, next_in_turn
from orchestration.services.balancing.retry_budget import RETRY_COST
from orchestration.services.hedged import hedged
from orchestration.services.lending import Grant, Lending
from orchestration.services.pool_members import (
    EngineT,
    Members,
    PoolPolicy,
    PoolSnapshot,
    WeightedEngine,
    weights_of,
)
from orchestration.services.ports import (
    EngineDescription,
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


AnswerT = TypeVar("AnswerT")


class Balanced(Generic[EngineT]):
    """Engines of one kind behind a `Balancer`: turns by weight without those that fail.

    An engine gets no more requests at once than it bears; others wait, in fair turns of their
    sessions. A failed request goes to another engine, `tries` in all, as long as the pool's retry
    budget lasts. The tries share one deadline with the wait: each may take the time left divided
    by the tries left, so that an engine that hangs leaves time for the next. An engine without the
    language pair is no failure and no try. What an engine refuses is not asked again. `clock`
    counts seconds, monotonically. How long each engine took goes to `meter`, under the pool's name.
    """

    kind = "balanced"
    pool = "engines"

    def __init__(
        self,
        upstreams: Sequence[WeightedEngine[EngineT]],
        *,
        timeout_s: float,
        tries: int = 3,
        policy: PoolPolicy | None = None,
        rng: random.Random | None = None,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        meter: Meter | None = None,
    ) -> None:
        policy = policy or PoolPolicy()
        self._rng = rng or random.Random()
        self._balancer = Balancer(
            weights_of(upstreams),
            limits=policy.limits,
            policy=self._turns(policy),
            eject_after=policy.eject_after,
        )
        self._members = Members(upstreams)
        self._lending = Lending(self._balancer, self._members, policy.max_waiting, self._now_ms)
        self._hedging = Hedging() if policy.hedge else None
        self._hedges = 0
        self._timeout_s = timeout_s
        self._tries = tries
        self._clock = clock
        self._sleep = sleep
        self._meter = meter

    async def apply(self, upstreams: Sequence[WeightedEngine[EngineT]]) -> None:
        """These engines from now on; one of weight 0 is drained: it gets no more requests.

        Requests under way end where they are, and an engine that left is closed after its last.

        Raises:
            ConfigurationError: nothing would be left to ask; the pool stays as it was.
        """
        self._balancer.apply(weights_of(upstreams), self._now_ms())
        await self._members.apply(upstreams, self._lending.start_waiting)

    def tune(self, *, timeout_s: float, tries: int, policy: PoolPolicy) -> None:
        """Deal with requests like this from now on. One under way keeps its deadline and its
        tries, and who waits keeps waiting, however many may."""
        self._timeout_s, self._tries = timeout_s, tries
        self._balancer.tune(policy.limits, self._turns(policy), policy.eject_after)
        if policy.hedge != (self._hedging is not None):
            self._hedging = Hedging() if policy.hedge else None
        self._lending.limit(policy.max_waiting)

    def snapshot(self) -> PoolSnapshot:
        """The pool as it stands, its engines in the order they were given."""
        budget = self._balancer.budget
        return PoolSnapshot(
            self._balancer.snapshot(),
            self._lending.waiting,
            budget.retries - self._hedges,
            budget.refused,
            budget.saved // RETRY_COST,
        )

    async def check_each(self) -> tuple[EngineStatus, ...]:
        """Probe all engines at once, in the order they were given; never raises."""
        return tuple(await asyncio.gather(*(one.engine.check() for one in self._members.all)))

    async def describe_each(self) -> tuple[EngineDescription, ...]:
        """What each engine says of itself, in the order they were given; never raises."""
        engines = [one.engine for one in self._members.all]
        return tuple(await asyncio.gather(*(one.describe() for one in engines)))

    async def check(self) -> EngineStatus:
        """Healthy while any engine is; `detail` says which are not, and why. Never raises."""
        statuses = await self.check_each()
        healthy = [status for status in statuses if status.healthy]
        failing = [f"{one.name}: {one.detail}" for one in statuses if not one.healthy]
        if len(statuses) == 1:
            return statuses[0]
        latency_ms = min((status.latency_ms for status in healthy), default=0)
        name = ", ".join(one.name for one in self._members.all)
        return EngineStatus(name, self.kind, bool(healthy), latency_ms, "; ".join(failing))

    async def close(self) -> None:
        """Close all engines."""
        await asyncio.gather(*(one.engine.close() for one in self._members.all))

    async def _call(
        self,
        session: str,
        ask: Callable[[EngineT], Coroutine[Any, Any, AnswerT]],
        cost: int = 1,
    ) -> AnswerT:
        """The first useful answer; raises what the ports say."""
        timeout_s = self._timeout_s
        deadline_s = self._clock() + timeout_s
        self._balancer.budget.request()
        tries = min(self._tries, self._balancer.count_untried())
        attempts = Attempts(session, cost, tries, timeout_s)
        while attempts.tries_left:
            grant = await self._lending.lend(session, deadline_s, cost, attempts.tried)
            if grant is None:
                break
            attempts.tried.add(grant.name)
            try_s = (deadline_s - self._clock()) / attempts.tries_left
            try:
                return await self._ask_perhaps_two(grant, ask, try_s, attempts)
            except UnsupportedLanguagePair as error:
                attempts.unsupported = error
            except EngineRefused:
                raise
            except EngineError as error:
                attempts.failures.append((grant.name, error))
                attempts.tries_left -= 1
                if attempts.tries_left and not await self._pause_before_retry(attempts):
                    break
            untried = self._balancer.count_untried(attempts.tried)
            attempts.tries_left = min(attempts.tries_left, untried)
        raise attempts.failure(self._balancer.count_untried(attempts.tried))

    async def _pause_before_retry(self, attempts: Attempts) -> bool:
        """Wait for the next try; False at once if the budget has none left."""
        if not self._balancer.budget.take():
            return False
        ceiling_s = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** len(attempts.failures))
        await self._sleep(self._rng.uniform(0, ceiling_s))
        return True

    async def _ask_perhaps_two(
        self,
        grant: Grant[EngineT],
        ask: Callable[[EngineT], Coroutine[Any, Any, AnswerT]],
        timeout_s: float,
        attempts: Attempts,
    ) -> AnswerT:
        """Ask an engine, and another one too when the first takes unusually long."""
        began_s = self._clock()
        delay_ms = self._hedging.delay_ms if self._hedging else None
        if delay_ms is None or delay_ms >= timeout_s * 1000:
            answer = await self._ask(grant, ask, timeout_s)
        else:
            ends_s = began_s + timeout_s

            def second() -> Coroutine[Any, Any, AnswerT] | None:
                other = self._lending.lend_at_once(attempts.tried)
                if other is None:
                    return None
                self._hedges += 1
                attempts.tried.add(other.name)
                return self._ask(other, ask, ends_s - self._clock())

            answer = await hedged(self._ask(grant, ask, timeout_s), second, delay_ms / 1000)
        if self._hedging:
            self._hedging.answered(round((self._clock() - began_s) * 1000))
        return answer

    async def _ask(
        self,
        grant: Grant[EngineT],
        ask: Callable[[EngineT], Coroutine[Any, Any, AnswerT]],
        timeout_s: float,
    ) -> AnswerT:
        end = self._balancer.abandoned
        try:
            async with asyncio.timeout(timeout_s):
                answer = await ask(grant.member.engine)
            end = self._balancer.answered
            return answer
        except TimeoutError as error:
            end = self._balancer.failed
            message = f"{grant.name} did not answer within {timeout_s:.3g} s."
            raise EngineTimeout(message, {"timeout_s": timeout_s}) from error
        except (EngineRefused, UnsupportedLanguagePair):
            end = self._balancer.answered
            raise
        except EngineError:
            end = self._balancer.failed
            raise
        finally:
            if self._meter is not None and end != self._balancer.abandoned:
                elapsed_s = (self._now_ms() - grant.lease.began_ms) / 1000
                self._meter.observe(catalogue.UPSTREAM_SECONDS, elapsed_s, self.pool, grant.name)
            await self._lending.take_back(grant, end)

    def _turns(self, policy: PoolPolicy) -> Policy:
        return least_latency(self._rng) if policy.least_latency else next_in_turn

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


class BalancedTranscription(Balanced[TranscriptionEngine]):
    """A TranscriptionEngine over several."""

    pool = "whisper"

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Words of one chunk; raises as the port says."""
        return await self._call(request.session_id, lambda engine: engine.transcribe(request))


class BalancedTranslation(Balanced[TranslationEngine]):
    """A TranslationEngine over several."""

    pool = "translation"

    async def translate(self, request: TranslationRequest) -> str:
        """The text in the target language; raises as the port says.

        UnsupportedLanguagePair means that every engine was asked and none has the pair.
        """
        return await self._call(
            request.session_id, lambda engine: engine.translate(request), len(request.text)
        )
