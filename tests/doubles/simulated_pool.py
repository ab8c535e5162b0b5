"""A pool, its services and its sessions in virtual time."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.errors import EngineError
from orchestration.services.balanced import BalancedTranscription
from orchestration.services.balancing.upstream import UpstreamSnapshot
from orchestration.services.pool_members import PoolPolicy, WeightedEngine
from orchestration.services.ports import (
    EngineDescription,
    EngineStatus,
    Hypothesis,
    TranscriptionEngine,
    TranscriptionRequest,
)


@dataclass
class SimulatedEngine:
    """Serves `at_once` requests for `service_s` each, give or take a fifth; the rest wait inside,
    however many they are. One in `slow_in` takes ten times as long; while `is_down`, all fail."""

    name: str
    at_once: int
    service_s: float
    slow_in: int = 0
    is_down: bool = False
    calls: int = 0
    inside: int = 0
    most_inside: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self._servers = asyncio.Semaphore(self.at_once)

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        self.calls += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.is_down:
                await asyncio.sleep(0.01)
                raise EngineError(f"{self.name} is down.")
            async with self._servers:
                is_slow = self.slow_in and self.calls % self.slow_in == 0
                spread = self.rng.uniform(0.8, 1.2) * (10 if is_slow else 1)
                await asyncio.sleep(self.service_s * spread)
        finally:
            self.inside -= 1
        return Hypothesis("en", (), self.name)

    async def check(self) -> EngineStatus:
        return EngineStatus(self.name, "simulated", True, 0)

    async def describe(self) -> EngineDescription:
        return EngineDescription(self.name, "simulated")

    async def close(self) -> None:
        return


@dataclass
class Simulation:
    """What the sessions of a pool saw, by session. To be made in the loop, whose time it takes."""

    engines: Sequence[SimulatedEngine]
    policy: PoolPolicy
    timeout_s: float = 30.0
    waits_ms: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[str, list[EngineError]] = field(default_factory=lambda: defaultdict(list))
    most_waiting: int = 0

    def __post_init__(self) -> None:
        upstreams: list[WeightedEngine[TranscriptionEngine]] = [
            WeightedEngine(engine.name, engine) for engine in self.engines
        ]
        self.pool = BalancedTranscription(
            upstreams,
            timeout_s=self.timeout_s,
            policy=self.policy,
            rng=random.Random(1),
            clock=asyncio.get_running_loop().time,
        )

    async def run(self, until_s: float, streams: dict[str, int], pause_s: float = 0.0) -> None:
        """Every stream of every session asks again, after a pause, as soon as it is answered."""
        senders = [
            self._send(session, until_s, pause_s)
            for session, number in streams.items()
            for _ in range(number)
        ]
        await asyncio.gather(*senders)

    def upstream(self, name: str) -> UpstreamSnapshot:
        return next(one for one in self.pool.snapshot().upstreams if one.name == name)

    async def _send(self, session: str, until_s: float, pause_s: float) -> None:
        loop = asyncio.get_running_loop()
        chunk = TranscriptionRequest(session, 0, 0, bytes(2), "en", "")
        while loop.time() < until_s:
            began_s = loop.time()
            try:
                await self.pool.transcribe(chunk)
                self.waits_ms[session].append(round((loop.time() - began_s) * 1000))
            except EngineError as error:
                self.errors[session].append(error)
                await asyncio.sleep(0.5)
            self.most_waiting = max(self.most_waiting, self.pool.snapshot().waiting)
            await asyncio.sleep(pause_s)
