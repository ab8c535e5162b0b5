"""The real parts of the service, driven so that their metrics happen."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from orchestration.api.connection_figures import sample_connections, sample_requests
from orchestration.api.connections import Connection, ConnectionRegistry
from orchestration.api.request_rate import RequestBuckets
from orchestration.config.current import CurrentSettings
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.errors import EngineError, LimitReached, UnsupportedLanguagePair
from orchestration.health.alerts import AlertBook, Figure
from orchestration.health.figures import part_figures
from orchestration.health.part_measures import sample_machine, sample_parts, sample_sessions
from orchestration.health.recovery import RecoveryBook
from orchestration.health.system import system_figures
from orchestration.metrics.meter import Report, Tally
from orchestration.services.balanced import BalancedTranscription
from orchestration.services.gateway import GatewayRequest, HttpGateway
from orchestration.services.gateway_pool import GatewayUpstream
from orchestration.services.health import HealthBook, Probe
from orchestration.services.labelling import Labelling
from orchestration.services.pool_figures import sample_gateway, sample_pool
from orchestration.services.pool_members import WeightedEngine
from orchestration.services.ports import (
    Diarization,
    EngineStatus,
    TranscriptionRequest,
    TranslationRequest,
)
from orchestration.session.inputs import AudioFrame, EndOfStreams
from orchestration.session.runner import SessionRunner
from orchestration.storage.pool import Pool
from orchestration.storage.pool import sample_connections as sample_database
from orchestration.storage.values import SessionSpec
from tests.doubles.in_memory_archive import InMemoryArchive
from tests.doubles.scripted_engines import ScriptedEngines
from tests.unit.metrics.session_under_measure import (
    SPOKEN,
    VALUES,
    MemoryJournal,
    NoRecording,
    connect,
    frames,
    said,
    send,
)
from tests.unit.session.meeting import FRAME, claim

Scenario = Callable[[Path, pytest.MonkeyPatch], Awaitable[Report]]


class Translator(ScriptedEngines):
    """Has no Welsh, and fails with French."""

    async def translate(self, request: TranslationRequest) -> str:
        if request.target == "cy":
            raise UnsupportedLanguagePair("No Welsh.")
        if request.target == "fr":
            raise EngineError("down")
        return await super().translate(request)


async def a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """4 s of audio of which 2 are spoken and heard, then as much that is lost; one repeated
    commit; a frame out of order."""
    tally, finished = Tally(), asyncio.Event()
    engines = Translator(lambda request: said("Hello."))
    journal = MemoryJournal(outages=1)

    async def finish() -> None:
        finished.set()

    runner = SessionRunner(
        claim(targets=("pt", "cy", "fr")),
        cast(Any, journal),
        engines,
        VALUES,
        NoRecording(),
        finish,
        tally,
    )
    await connect(runner)
    engines.gate.clear()
    await send(runner, *frames(SPOKEN))
    async with asyncio.timeout(60):
        while not engines.asked:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
    runner.sample()
    under_way = tally.take()
    engines.gate.set()
    async with asyncio.timeout(60):
        while not any(changes.translations for changes in journal.changes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    engines.error = EngineError("down")
    late = frames(SPOKEN, first_seq=40)
    await send(runner, *late, AudioFrame(0, 90, 90 * FRAME, bytes(2 * FRAME)))
    await send(runner, EndOfStreams(((0, 79),), -1))
    async with asyncio.timeout(60):
        await finished.wait()
    await runner.stop()
    ended = tally.take()
    runner.sample()
    assert ended.gauges == tally.take().gauges == {}, "what is over waits for nothing"
    return merged(under_way, ended)


async def a_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Two engines, one of which fails every request until it is put out; no retry is left then."""
    tally = Tally()
    good, bad = ScriptedEngines(), ScriptedEngines()
    bad.error = EngineError("down")

    async def no_pause(seconds: float) -> None:
        return

    pool = BalancedTranscription(
        [WeightedEngine("good", cast(Any, good)), WeightedEngine("bad", cast(Any, bad))],
        timeout_s=5,
        tries=2,
        sleep=no_pause,
        meter=tally,
    )
    chunk = TranscriptionRequest("s", 0, 0, bytes(2), "en", "")
    for _ in range(40):
        await pool.transcribe(chunk)
    good.error = EngineError("down")
    for _ in range(40):
        with pytest.raises(EngineError):
            await pool.transcribe(chunk)
    sample_pool(tally, pool)
    return tally.take()


class Voices:
    """A diarizer that hears nobody, fails, or hangs."""

    def __init__(self) -> None:
        self.does: Literal["answer", "fail", "hang"] = "answer"

    async def check(self) -> EngineStatus:
        return EngineStatus("voices", "scripted", True, 1)

    async def diarize(self, request: TranscriptionRequest) -> Diarization:
        if self.does == "hang":
            await asyncio.Event().wait()
        if self.does == "fail":
            raise EngineError("down")
        return Diarization("voices", ())


async def a_diarizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """It answers twice, is late once, fails twice, and is left alone then."""
    tally, voices = Tally(), Voices()
    labelling = Labelling(ScriptedEngines(), voices, grace_s=0.001, meter=tally)
    chunk = TranscriptionRequest("s", 0, 0, bytes(2), "en", "", voices=None)
    chunks: dict[Literal["answer", "fail", "hang"], int] = {"answer": 2, "hang": 1, "fail": 3}
    for does, times in chunks.items():
        voices.does = does
        for _ in range(times):
            await labelling.transcribe(chunk)
    return tally.take()


async def a_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """A request for a service that cannot be reached."""

    class Nothing:
        whole: bytes | None = b""
        fault: Exception | None = None

        def stream(self) -> Any:
            raise AssertionError("the body is whole")

    tally = Tally()
    upstream = GatewayUpstream("http://127.0.0.1:9")
    gateway = HttpGateway({"whisper": [upstream]}, timeout_s=1, tries=1, meter=tally)
    with pytest.raises(EngineError):
        await gateway.forward("whisper", GatewayRequest("GET", "health", "", [], Nothing()))
    sample_gateway(tally, gateway.snapshot())
    await gateway.close()
    return tally.take()


async def connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Two viewers, of whom one was refused, and so was a request."""
    tally, registry = Tally(), ConnectionRegistry(1, 1)
    viewer = Connection("c1", "live", "192.0.2.1", "agent", "s1", 0)
    registry.open(viewer)
    with pytest.raises(LimitReached):
        registry.open(Connection("c2", "live", "192.0.2.2", "agent", "s1", 0))
    registry.sent.count(100, 0)
    registry.received.count(10, 0)
    sample_connections(tally, registry)
    buckets = RequestBuckets(1, 1)
    for _ in range(2):
        buckets.take("192.0.2.1", 0)
    sample_requests(tally, buckets)
    return tally.take()


class APool:
    """A database pool of 4 at most, with 3 connections, of which 1 is idle."""

    def get_size(self) -> int:
        return 3

    def get_idle_size(self) -> int:
        return 1

    def get_max_size(self) -> int:
        return 4


async def the_health_monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """An engine is down; three sessions are open."""
    tally, book, alerts = Tally(), HealthBook(), AlertBook()
    for number in range(3):
        book.record(Probe("database", True, 4), 1000 * number)
        book.record(Probe("whisper", False, 0, detail="down"), 1000 * number)
    system = (*system_figures(tmp_path), Figure("loop_lag_ms", "machine", 20))
    alerts.observe((*part_figures(book.services), *system), 10_000)
    sample_sessions(tally, ["active", "active", "silent"], 1)
    sample_parts(tally, book.services, alerts.active)
    sample_machine(tally, system)
    sample_database(tally, "health_monitor", cast(Pool, APool()))
    return tally.take()


async def the_coordinator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """A session is created, asked for again, and its actor dies."""
    tally, archive = Tally(), InMemoryArchive()
    with warnings.catch_warnings():
        # Ray Serve is imported with the coordinator, and its own imports warn.
        warnings.simplefilter("ignore", DeprecationWarning)
        from actors import placement
        from actors.coordinator import Coordinator

    class WithoutRay(Coordinator):
        async def ready(self) -> None:
            return

        async def _connected(self) -> Any:
            return archive

        async def _place(self, session_id: str, *, keeps_trying: bool = True) -> str:
            return "session-1"

        def figures_of_it(self) -> Report:
            return cast(Tally, self._reports.meter).take()

    class Moving(placement.Placement):
        async def place(self, session_id: str, *, keeps_trying: bool = True) -> str:
            return "session-2"

    coordinator = WithoutRay(Layers.of(Settings(data_dir=tmp_path)), "", "none")
    for _ in range(2):
        await coordinator.create(SessionSpec("weekly"))
    ended: list[str] = []
    monkeypatch.setattr(placement, "end_session_actor", ended.append)
    current = CurrentSettings(Settings(data_dir=tmp_path))
    actors = Moving(current, "", tally, RecoveryBook())
    actors.adopt({"weekly": "session-1"}, ["session-1"])
    await actors.replace("weekly", "session-1")
    assert ended == ["session-1"]
    return merged(coordinator.figures_of_it(), tally.take())


SCENARIOS: tuple[Scenario, ...] = (
    a_session,
    a_pool,
    a_diarizer,
    a_gateway,
    connections,
    the_health_monitor,
    the_coordinator,
)


def merged(*reports: Report) -> Report:
    """What they say together; of gauges, the first value."""
    whole = Report()
    for report in reports:
        for key, more in report.counters.items():
            whole.counters[key] = whole.counters.get(key, 0) + more
        for key, distribution in report.histograms.items():
            if key in whole.histograms:
                whole.histograms[key].add(distribution)
            else:
                whole.histograms[key] = distribution
        for key, value in report.gauges.items():
            whole.gauges.setdefault(key, value)
    return whole
