"""Pools under load, in virtual time: twenty sessions, and services that fail in every way."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.errors import EngineError, EngineRefused
from orchestration.services.balanced import BalancedTranscription
from orchestration.services.balancing.breaker import State
from orchestration.services.balancing.outliers import percentile
from orchestration.services.pool_members import WeightedEngine
from orchestration.services.ports import (
    EngineDescription,
    EngineStatus,
    Hypothesis,
    TranscriptionEngine,
    TranscriptionRequest,
)
from tests.doubles.virtual_time import run_in_virtual_time

SESSIONS = 20
CHUNKS = 60
CHUNK_EVERY_S = 2.0
TIMEOUT_S = 6.0
CHUNK = TranscriptionRequest("s", 0, 0, bytes(2), "en", "")


@dataclass
class TimedEngine:
    """Answers after `latency_s`, and fails, hangs or refuses when told to."""

    name: str
    latency_s: float = 0.3
    error: EngineError | None = None
    hangs: bool = False
    calls: int = 0
    closed: bool = False

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        assert not self.closed, f"{self.name} was closed with a request under way"
        self.calls += 1
        if self.hangs:
            await asyncio.sleep(3600)
        await asyncio.sleep(self.latency_s)
        assert not self.closed, f"{self.name} was closed with a request under way"
        if self.error:
            raise self.error
        return Hypothesis("en", (), self.name)

    async def check(self) -> EngineStatus:
        return EngineStatus(self.name, "timed", True, 0)

    async def describe(self) -> EngineDescription:
        return EngineDescription(self.name, "timed")

    async def close(self) -> None:
        self.closed = True


@dataclass
class Outcome:
    """What the sessions saw."""

    lost: int = 0
    waits_ms: list[int] = field(default_factory=list)


def weighted(engines: Sequence[TimedEngine]) -> list[WeightedEngine[TranscriptionEngine]]:
    return [WeightedEngine(engine.name, engine) for engine in engines]


def pool_of(engines: Sequence[TimedEngine]) -> BalancedTranscription:
    """To be called in the loop, whose time it takes."""
    clock = asyncio.get_running_loop().time
    return BalancedTranscription(
        weighted(engines), timeout_s=TIMEOUT_S, rng=random.Random(1), clock=clock
    )


async def meet(pool: BalancedTranscription, outcome: Outcome, offset_s: float) -> None:
    """One session: a chunk every `CHUNK_EVERY_S`, and waits for its answer."""
    await asyncio.sleep(offset_s)
    loop = asyncio.get_running_loop()
    for _ in range(CHUNKS):
        began_s = loop.time()
        try:
            await pool.transcribe(CHUNK)
        except EngineError:
            outcome.lost += 1
        outcome.waits_ms.append(round((loop.time() - began_s) * 1000))
        await asyncio.sleep(max(0.0, began_s + CHUNK_EVERY_S - loop.time()))


async def load(pool: BalancedTranscription) -> Outcome:
    outcome = Outcome()
    await asyncio.gather(
        *(meet(pool, outcome, CHUNK_EVERY_S * index / SESSIONS) for index in range(SESSIONS))
    )
    return outcome


async def time_of(pool: BalancedTranscription, state: State) -> float:
    """When the first service of the pool gets into a state, in seconds."""
    for _ in range(SESSIONS * CHUNKS):
        if pool.snapshot().upstreams[0].state is state:
            return asyncio.get_running_loop().time()
        await asyncio.sleep(0.1)
    raise AssertionError(f"The service was never {state.value}.")


def test_one_failing_one_hanging_and_one_slow_service_cost_delay_and_few_retries() -> None:
    engines = [
        TimedEngine("failing", 0.01, EngineError("out of memory")),
        TimedEngine("hanging", hangs=True),
        TimedEngine("slow", 1.5),
        TimedEngine("good"),
    ]

    async def program() -> tuple[Outcome, BalancedTranscription]:
        pool = pool_of(engines)
        return await load(pool), pool

    outcome, pool = run_in_virtual_time(program())
    requests = SESSIONS * CHUNKS
    tries = sum(engine.calls for engine in engines)
    assert tries / requests <= 1.2
    assert outcome.lost <= 0.02 * requests
    assert percentile(outcome.waits_ms, 500) <= 1500
    assert [one.state for one in pool.snapshot().upstreams[:2]] == [State.OPEN, State.OPEN]


def test_a_service_that_is_well_again_serves_again_within_its_time_out() -> None:
    engines = [TimedEngine("ill", 0.01, EngineError("starting")), TimedEngine("good")]

    async def program() -> tuple[float, float]:
        pool = pool_of(engines)
        sessions = asyncio.create_task(load(pool))
        ejected_s = await time_of(pool, State.OPEN)
        engines[0].error = None
        back_s = await time_of(pool, State.CLOSED)
        sessions.cancel()
        return ejected_s, back_s

    ejected_s, back_s = run_in_virtual_time(program())
    assert ejected_s <= 2
    assert back_s - ejected_s <= 31


def test_removing_a_service_under_load_loses_no_request_and_closes_it_after_its_last() -> None:
    leaving, staying = TimedEngine("leaving", 1.0), TimedEngine("staying")

    async def program() -> Outcome:
        pool = pool_of([leaving, staying])
        sessions = asyncio.create_task(load(pool))
        await asyncio.sleep(20.5)
        assert pool.snapshot().upstreams[0].outstanding > 0
        await pool.apply(weighted([staying, TimedEngine("new")]))
        assert not leaving.closed
        return await sessions

    assert run_in_virtual_time(program()).lost == 0
    assert leaving.closed


def test_a_dead_pool_is_not_asked_more_than_a_fifth_more() -> None:
    engines = [TimedEngine(name, 0.01, EngineError("down")) for name in "abcd"]

    async def program() -> Outcome:
        return await load(pool_of(engines))

    assert run_in_virtual_time(program()).lost == SESSIONS * CHUNKS
    assert sum(engine.calls for engine in engines) <= 1.2 * SESSIONS * CHUNKS + 10


def test_what_a_service_refuses_is_asked_of_nobody_else_and_is_not_its_failure() -> None:
    engines = [TimedEngine(name, error=EngineRefused("too short")) for name in "ab"]

    async def program() -> BalancedTranscription:
        pool = pool_of(engines)
        for _ in range(10):
            try:
                await pool.transcribe(CHUNK)
            except EngineRefused:
                continue
        return pool

    pool = run_in_virtual_time(program())
    assert [engine.calls for engine in engines] == [5, 5]
    assert [one.failures for one in pool.snapshot().upstreams] == [0, 0]
