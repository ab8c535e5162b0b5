"""Pools under more than they bear, in virtual time: what limits, fair turns and hedging promise."""

import asyncio
from itertools import chain

import pytest

from orchestration.errors import EngineBusy
from orchestration.services.balancing.breaker import State
from orchestration.services.balancing.limits import LimitBounds
from orchestration.services.balancing.outliers import percentile
from orchestration.services.pool_members import PoolPolicy
from tests.doubles.simulated_pool import SimulatedEngine, Simulation
from tests.doubles.virtual_time import run_in_virtual_time


@pytest.mark.parametrize("at_once", [1, 4, 12])
def test_the_limit_converges_under_load_and_costs_no_throughput(at_once: int) -> None:
    seen: list[int] = []

    async def program() -> Simulation:
        engine = SimulatedEngine("only", at_once, 1.0)
        simulation = Simulation([engine], PoolPolicy())

        async def watch() -> None:
            await asyncio.sleep(150)
            while True:
                seen.append(simulation.upstream("only").limit or 0)
                await asyncio.sleep(1)

        watching = asyncio.create_task(watch())
        # The idle latency is known from a time without much to do.
        await simulation.run(15, {"first": 1})
        await simulation.run(300, {f"s{index}": 1 for index in range(4 * at_once + 8)})
        watching.cancel()
        return simulation

    simulation = run_in_virtual_time(program())
    assert at_once <= percentile(seen, 500) <= 2 * at_once + 5
    answers = sum(map(len, simulation.waits_ms.values()))
    assert answers >= 0.85 * 285 * at_once


def test_a_meeting_that_floods_the_pool_starves_no_other() -> None:
    quiet = [f"quiet {index}" for index in range(9)]

    async def program() -> Simulation:
        simulation = Simulation([SimulatedEngine("only", 4, 1.0)], PoolPolicy())
        flood = simulation.run(200, {"flood": 100})
        await asyncio.gather(flood, simulation.run(200, dict.fromkeys(quiet, 1), pause_s=4.0))
        return simulation

    simulation = run_in_virtual_time(program())
    for session in quiet:
        assert not simulation.errors[session]
        # Some ten of a fair share before it, at four a second, and what the engine is at.
        assert max(simulation.waits_ms[session]) <= 12_000
        assert percentile(simulation.waits_ms[session], 500) <= 6_000
    assert len(simulation.waits_ms["flood"]) > 300


def test_what_waits_is_bounded_and_only_who_floods_is_turned_away() -> None:
    async def program() -> Simulation:
        policy = PoolPolicy(max_waiting=40)
        simulation = Simulation([SimulatedEngine("only", 4, 1.0)], policy)
        flood = simulation.run(60, {"flood": 100})
        await asyncio.gather(flood, simulation.run(60, {"quiet": 2}))
        return simulation

    simulation = run_in_virtual_time(program())
    assert simulation.most_waiting <= 40
    assert any(isinstance(error, EngineBusy) for error in simulation.errors["flood"])
    assert not simulation.errors["quiet"]


def test_an_engine_never_has_more_under_way_than_its_limit_allows() -> None:
    async def program() -> SimulatedEngine:
        engine = SimulatedEngine("only", 2, 1.0)
        bounds = LimitBounds(fewest=1, most=6, initial=3)
        simulation = Simulation([engine], PoolPolicy(limits=bounds))
        await simulation.run(60, {"s": 50})
        return engine

    assert run_in_virtual_time(program()).most_inside <= 6


def test_an_engine_that_was_down_gets_its_share_again_and_its_limit() -> None:
    async def program() -> tuple[Simulation, int]:
        engines = [SimulatedEngine("ill", 4, 1.0), SimulatedEngine("well", 4, 1.0)]
        simulation = Simulation(engines, PoolPolicy())
        sessions = {f"s{index}": 1 for index in range(16)}
        engines[0].is_down = True
        await simulation.run(60, sessions)
        engines[0].is_down = False
        await simulation.run(200, sessions)
        before = engines[0].calls
        await simulation.run(260, sessions)
        return simulation, engines[0].calls - before

    simulation, served = run_in_virtual_time(program())
    assert simulation.upstream("ill").state is State.CLOSED
    assert served >= 0.4 * 60 * 8


def test_an_engine_that_is_asked_less_than_it_bears_is_not_held_back() -> None:
    async def program() -> Simulation:
        simulation = Simulation([SimulatedEngine("only", 8, 1.0)], PoolPolicy())
        await simulation.run(120, {f"s{index}": 1 for index in range(6)}, pause_s=1.0)
        return simulation

    waits_ms = list(chain.from_iterable(run_in_virtual_time(program()).waits_ms.values()))
    assert max(waits_ms) <= 1200


def test_hedging_cuts_the_tail_within_the_retry_budget() -> None:
    async def tail(hedge: bool) -> tuple[int, float]:
        engines = [SimulatedEngine(name, 20, 0.5, slow_in=30) for name in "ab"]
        simulation = Simulation(engines, PoolPolicy(hedge=hedge))
        await simulation.run(200, {f"s{index}": 1 for index in range(10)}, pause_s=1.0)
        waits_ms = list(chain.from_iterable(simulation.waits_ms.values()))
        return percentile(waits_ms, 990), sum(one.calls for one in engines) / len(waits_ms)

    plain_ms, _ = run_in_virtual_time(tail(False))
    hedged_ms, calls_per_request = run_in_virtual_time(tail(True))
    assert plain_ms > 4000
    assert hedged_ms < 1500
    assert calls_per_request <= 1.2


def test_turns_by_latency_favour_the_faster_engine_and_starve_nobody() -> None:
    async def program() -> tuple[SimulatedEngine, SimulatedEngine]:
        slow, fast = SimulatedEngine("slow", 4, 2.0), SimulatedEngine("fast", 4, 0.5)
        simulation = Simulation([slow, fast], PoolPolicy(least_latency=True))
        await simulation.run(200, {f"s{index}": 1 for index in range(6)}, pause_s=1.0)
        return slow, fast

    slow, fast = run_in_virtual_time(program())
    assert fast.calls > 2 * slow.calls > 0


def test_a_session_that_gives_up_waiting_takes_no_engine_with_it() -> None:
    async def program() -> Simulation:
        bounds = LimitBounds(1, 1, 1)
        engine = SimulatedEngine("only", 1, 1.0)
        simulation = Simulation([engine], PoolPolicy(limits=bounds))
        for round_s in (0.3, 1.0, 1.7):
            leaving = asyncio.create_task(simulation.run(100, {"leaving": 5}))
            await asyncio.sleep(round_s)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        await simulation.run(asyncio.get_running_loop().time() + 5, {"staying": 1})
        return simulation

    simulation = run_in_virtual_time(program())
    assert simulation.waits_ms["staying"]
    assert simulation.pool.snapshot().waiting == 0
    assert simulation.upstream("only").outstanding == 0
