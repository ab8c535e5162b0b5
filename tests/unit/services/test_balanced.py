import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import (
    ConfigurationError,
    EngineError,
    EngineTimeout,
    UnsupportedLanguagePair,
)
from orchestration.services.balanced import (
    BACKOFF_BASE_S,
    BalancedTranscription,
    BalancedTranslation,
)
from orchestration.services.pool_members import PoolPolicy, WeightedEngine
from orchestration.services.ports import (
    EngineDescription,
    EngineStatus,
    Hypothesis,
    TranscriptionEngine,
    TranscriptionRequest,
    TranslationEngine,
    TranslationRequest,
)

CHUNK = TranscriptionRequest("s", 0, 0, bytes(2), "en", "")
SEGMENT = TranslationRequest("s", "g", "Hello", "en", "pt")


@dataclass
class ScriptedEngine:
    """Raises `error` if there is one; with `hangs` it never answers."""

    name: str
    error: Exception | None = None
    hangs: bool = False
    calls: int = 0
    closed: bool = False

    async def _answer(self) -> None:
        self.calls += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        await self._answer()
        return Hypothesis("en", (), self.name)

    async def translate(self, request: TranslationRequest) -> str:
        await self._answer()
        return self.name

    async def check(self) -> EngineStatus:
        detail = str(self.error or "")
        return EngineStatus(self.name, "scripted", self.error is None, 3, detail)

    async def describe(self) -> EngineDescription:
        return EngineDescription(self.name, "scripted")

    async def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedTime:
    """A clock that only sleeping moves on."""

    now_s: float = 0.0
    slept_s: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.now_s += duration_s


def transcription(
    engines: Sequence[ScriptedEngine],
    weights: Sequence[int] | None = None,
    *,
    time: ScriptedTime | None = None,
    timeout_s: float = 30.0,
    tries: int = 3,
) -> BalancedTranscription:
    time = time or ScriptedTime()
    upstreams: list[WeightedEngine[TranscriptionEngine]] = [
        WeightedEngine(engine.name, engine, weight)
        for engine, weight in zip(engines, weights or [1] * len(engines), strict=True)
    ]
    return BalancedTranscription(
        upstreams,
        timeout_s=timeout_s,
        tries=tries,
        rng=random.Random(1),
        clock=time.clock,
        sleep=time.sleep,
    )


def translation(engines: Sequence[ScriptedEngine]) -> BalancedTranslation:
    time = ScriptedTime()
    upstreams: list[WeightedEngine[TranslationEngine]] = [
        WeightedEngine(engine.name, engine) for engine in engines
    ]
    return BalancedTranslation(upstreams, timeout_s=30, tries=2, clock=time.clock, sleep=time.sleep)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 3))
def test_engines_serve_in_proportion_to_their_weights(weights: list[int], rounds: int) -> None:
    engines = [ScriptedEngine(str(index)) for index in range(len(weights))]
    balanced = transcription(engines, weights)

    async def ask_all() -> None:
        for _ in range(rounds * sum(weights)):
            await balanced.transcribe(CHUNK)

    asyncio.run(ask_all())
    assert [engine.calls for engine in engines] == [rounds * weight for weight in weights]


async def test_the_heaviest_engine_does_not_serve_in_bursts() -> None:
    balanced = transcription([ScriptedEngine(name) for name in "abc"], [5, 1, 1])
    served = "".join([(await balanced.transcribe(CHUNK)).engine for _ in range(7)])
    assert served == "aabacaa"


async def test_a_failed_request_goes_to_another_engine_after_a_pause() -> None:
    time = ScriptedTime()
    failing, sound = (
        ScriptedEngine("failing", EngineError("out of memory")),
        ScriptedEngine("sound"),
    )
    balanced = transcription([failing, sound], time=time)
    assert (await balanced.transcribe(CHUNK)).engine == "sound"
    (pause_s,) = time.slept_s
    assert 0 <= pause_s <= 2 * BACKOFF_BASE_S


async def test_no_more_engines_are_tried_than_allowed() -> None:
    engines = [ScriptedEngine(name, EngineError(f"{name} is broken")) for name in "abcd"]
    balanced = transcription(engines, tries=3)
    with pytest.raises(EngineError) as raised:
        await balanced.transcribe(CHUNK)
    assert Counter(engine.calls for engine in engines) == {1: 3, 0: 1}
    assert raised.value.facts["errors"] == {name: f"{name} is broken" for name in "abc"}


async def test_the_only_engines_error_comes_through_unchanged() -> None:
    error = EngineError("slow down", {"retry_after_s": 7})
    only = ScriptedEngine("only", error)
    with pytest.raises(EngineError) as raised:
        await transcription([only]).transcribe(CHUNK)
    assert raised.value is error
    assert only.calls == 1


async def test_an_engine_that_hangs_leaves_time_for_the_next() -> None:
    balanced = transcription(
        [ScriptedEngine("hanging", hangs=True), ScriptedEngine("sound")], timeout_s=0.1
    )
    assert (await balanced.transcribe(CHUNK)).engine == "sound"
    assert [one.failures for one in balanced.snapshot().upstreams] == [1, 0]


async def test_engines_that_all_hang_are_a_timeout() -> None:
    balanced = transcription([ScriptedEngine(name, hangs=True) for name in "ab"], timeout_s=0.05)
    with pytest.raises(EngineTimeout):
        await balanced.transcribe(CHUNK)


async def test_a_pair_that_one_engine_lacks_is_asked_of_all_others() -> None:
    unsupported = UnsupportedLanguagePair("no such pair")
    engines = [ScriptedEngine(name, unsupported) for name in "abc"] + [ScriptedEngine("able")]
    balanced = translation(engines)
    assert await balanced.translate(SEGMENT) == "able"
    assert [one.failures for one in balanced.snapshot().upstreams] == [0, 0, 0, 0]


async def test_a_pair_that_no_engine_has_is_unsupported() -> None:
    engines = [ScriptedEngine(name, UnsupportedLanguagePair("no such pair")) for name in "abc"]
    with pytest.raises(UnsupportedLanguagePair):
        await translation(engines).translate(SEGMENT)
    assert [engine.calls for engine in engines] == [1, 1, 1]


async def test_a_pair_is_not_unsupported_while_an_engine_that_may_have_it_fails() -> None:
    engines = [
        ScriptedEngine("lacking", UnsupportedLanguagePair("no such pair")),
        ScriptedEngine("failing", EngineError("out of memory")),
    ]
    with pytest.raises(EngineError, match="out of memory"):
        await translation(engines).translate(SEGMENT)


async def test_a_snapshot_tells_calls_failures_and_retries() -> None:
    failing, sound = (
        ScriptedEngine("failing", EngineError("out of memory")),
        ScriptedEngine("sound"),
    )
    balanced = transcription([failing, sound])
    await balanced.transcribe(CHUNK)
    snapshot = balanced.snapshot()
    assert [(one.calls, one.failures) for one in snapshot.upstreams] == [(1, 1), (1, 0)]
    assert snapshot.retries == 1


async def test_the_balancer_is_healthy_while_any_engine_is() -> None:
    failing, sound = (
        ScriptedEngine("failing", EngineError("out of memory")),
        ScriptedEngine("sound"),
    )
    status = await transcription([failing, sound]).check()
    assert status.healthy
    assert status.detail == "failing: out of memory"
    also_failing = ScriptedEngine("also failing", EngineError("out of memory"))
    assert not (await transcription([failing, also_failing]).check()).healthy


async def test_closing_closes_every_engine() -> None:
    engines = [ScriptedEngine(name) for name in "ab"]
    await transcription(engines).close()
    assert all(engine.closed for engine in engines)


def test_a_balancer_without_engines_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        transcription([])


async def test_a_tuned_pool_gives_later_requests_its_new_time_and_tries() -> None:
    engines = [ScriptedEngine(name, hangs=True) for name in ("a", "b", "c")]
    pool = BalancedTranscription(
        [WeightedEngine(one.name, one) for one in engines],
        timeout_s=60,
        tries=3,
        clock=lambda: 0.0,  # So that a try is given the whole time, and none passes before it.
    )
    under_way = asyncio.create_task(pool.transcribe(CHUNK))
    while not any(one.calls for one in engines):  # noqa: ASYNC110
        await asyncio.sleep(0)
    pool.tune(timeout_s=0.02, tries=1, policy=PoolPolicy(limits=None, hedge=True))
    with pytest.raises(EngineTimeout, match=r"0\.02 s"):
        await pool.transcribe(CHUNK)
    assert sum(one.calls for one in engines) == 2
    assert not under_way.done()
    assert [one.limit for one in pool.snapshot().upstreams] == [None, None, None]
    under_way.cancel()
    await asyncio.gather(under_way, return_exceptions=True)
