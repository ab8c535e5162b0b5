"""Every metric happens: the real parts are driven, and their figures read."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, cast, get_args

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
from orchestration.metrics import catalogue
from orchestration.metrics.catalogue import CATALOGUE, Metric
from orchestration.metrics.meter import Report, Tally
from orchestration.services.balanced import BalancedTranscription, WeightedEngine
from orchestration.services.gateway import GatewayRequest, HttpGateway
from orchestration.services.gateway_pool import GatewayUpstream
from orchestration.services.health import HealthBook, Probe
from orchestration.services.labelling import Labelling
from orchestration.services.pool_figures import sample_gateway, sample_pool
from orchestration.services.ports import (
    Diarization,
    EngineStatus,
    TranscriptionRequest,
    TranslationRequest,
)
from orchestration.session.inputs import AudioFrame, EndOfStreams
from orchestration.session.runner import SessionRunner
from orchestration.session.status import SessionStatus
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


def amount(report: Report, metric: Metric, *labels: str) -> float:
    """A counter's or gauge's value, or how many values a histogram has."""
    key = metric.name, labels
    if metric.kind == "histogram":
        return sum(report.histograms[key].counts) if key in report.histograms else 0
    kept = report.counters if metric.kind == "counter" else report.gauges
    return kept.get(key, 0)


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
    async with asyncio.timeout(20):
        while not engines.asked:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
    runner.sample()
    under_way = tally.take()
    engines.gate.set()
    async with asyncio.timeout(20):
        while not any(changes.translations for changes in journal.changes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    engines.error = EngineError("down")
    late = frames(SPOKEN, first_seq=40)
    await send(runner, *late, AudioFrame(0, 90, 90 * FRAME, bytes(2 * FRAME)))
    await send(runner, EndOfStreams(((0, 79),), -1))
    async with asyncio.timeout(20):
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


@pytest.fixture(scope="module")
async def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[Scenario, Report]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        path = tmp_path_factory.mktemp("measures")
        return {scenario: await scenario(path, monkeypatch) for scenario in SCENARIOS}


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
async def test_a_metric_happens(metric: Metric, reports: dict[Scenario, Report]) -> None:
    report = merged(*reports.values())
    kept: dict[str, Any] = {
        "counter": report.counters,
        "gauge": report.gauges,
        "histogram": report.histograms,
    }
    found = [labels for name, labels in kept[metric.kind] if name == metric.name]
    assert found
    assert {len(labels) for labels in found} == {len(metric.labels)}


CLOSED: dict[str, set[str]] = {
    "actor": {"session", "coordinator", "health_monitor"},
    "direction": {"received", "sent"},
    "fate": {"transcribed", "silent", "lost"},
    "level": {"warning", "critical"},
    "part": {"database", "whisper"},
    "pool": {"whisper", "translation", "gateway_whisper", "gateway_translation"},
    "process": {"ingress", "coordinator", "health_monitor", "session"},
    "resource": {"memory", "cpu", "disk"},
    "stage": {"wait", "prepare", "transcribe"},
    "state": {"closed", "open", "half_open", "busy", "idle"},
    "status": {*get_args(SessionStatus), "silent"},
    "upstream": {"good", "bad", "http://127.0.0.1:9"},
}
"""What labels may say here: parts, pools and upstreams are those of the scenarios."""
KINDS = {"ingest", "live", "socket_io", "other", "append", "commit", "transcribe", "translate"}
RESULTS = {
    *("heard", "failed", "translated", "unsupported", "answered"),
    *("labelled", "late", "left_out"),
}


def test_no_label_says_what_is_not_in_a_closed_list_or_the_settings(
    reports: dict[Scenario, Report],
) -> None:
    allowed = CLOSED | {"kind": KINDS, "result": RESULTS}
    report = merged(*reports.values())
    for name, values in (*report.counters, *report.gauges, *report.histograms):
        for label, value in zip(catalogue.CATALOGUE[name].labels, values, strict=True):
            assert value in allowed[label], (name, label)


async def test_what_has_left_is_in_no_gauge() -> None:
    tally = Tally()
    engines = [WeightedEngine(name, cast(Any, ScriptedEngines())) for name in ("one", "other")]
    pool, smaller = (BalancedTranscription(some, timeout_s=5) for some in (engines, engines[:1]))
    parts = HealthBook()
    parts.record(Probe("database", True, 4), 0)
    sample_pool(tally, pool)
    sample_parts(tally, parts.services, ())
    sample_sessions(tally, ["active", "delayed"], 1)
    sample_machine(tally, [Figure("disk_percent", "machine", 50)])
    before = tally.take().gauges
    sample_pool(tally, smaller)
    sample_sessions(tally, ["delayed"], 0)
    gone = before.keys() - tally.take().gauges.keys()
    assert {(name, *labels) for name, labels in gone} >= {
        (catalogue.UPSTREAM_OUTSTANDING.name, "whisper", "other"),
        (catalogue.UPSTREAM_BREAKER.name, "whisper", "other", "closed"),
        (catalogue.SESSIONS.name, "active"),
        (catalogue.PART_HEALTHY.name, "database"),
        (catalogue.MACHINE_USED_RATIO.name, "disk"),
    }


async def test_a_session_s_figures_are_what_was_done(reports: dict[Scenario, Report]) -> None:
    report = reports[a_session]
    assert amount(report, catalogue.FRAMES) == 80
    assert amount(report, catalogue.FRAME_BYTES) == 2 * len(SPOKEN)
    assert amount(report, catalogue.NACKS) == 1
    assert amount(report, catalogue.STORE_SECONDS, "append") == 2
    assert amount(report, catalogue.STORE_RETRIES) == 1
    assert amount(report, catalogue.CHUNKS, "heard") == 1
    assert amount(report, catalogue.CHUNKS, "failed") == 1
    assert amount(report, catalogue.CHUNK_SECONDS, "wait") == 2
    assert amount(report, catalogue.CHUNK_SECONDS, "transcribe") == 1
    assert amount(report, catalogue.ENGINE_REQUESTS, "transcribe") == 1
    assert amount(report, catalogue.JOURNAL_LAG_SECONDS) > 1
    for result in ("translated", "unsupported", "failed"):
        assert amount(report, catalogue.TRANSLATIONS, result) == 1
    assert amount(report, catalogue.TRANSLATION_SECONDS) == 1
    assert amount(report, catalogue.LINE_COMMIT_SECONDS) == 1
    assert amount(report, catalogue.SESSIONS_ENDED, "completed") == 1


async def test_every_second_of_audio_has_one_fate(reports: dict[Scenario, Report]) -> None:
    fates = {
        labels[0]: seconds
        for (name, labels), seconds in reports[a_session].counters.items()
        if name == catalogue.AUDIO_SECONDS.name
    }
    assert set(fates) == {"transcribed", "silent", "lost"}
    assert sum(fates.values()) == pytest.approx(8.0)


async def test_a_pool_s_figures_are_those_of_its_balancer(reports: dict[Scenario, Report]) -> None:
    report = reports[a_pool]
    failures = amount(report, catalogue.UPSTREAM_FAILURES, "whisper", "bad")
    assert failures >= 1
    assert amount(report, catalogue.UPSTREAM_BREAKER, "whisper", "bad", "open") == 1
    assert amount(report, catalogue.UPSTREAM_BREAKER, "whisper", "good", "closed") == 1
    assert amount(report, catalogue.UPSTREAM_EJECTIONS, "whisper", "bad") >= 1
    asked = amount(report, catalogue.UPSTREAM_REQUESTS, "whisper", "good")
    assert asked == amount(report, catalogue.UPSTREAM_SECONDS, "whisper", "good")
    assert amount(report, catalogue.RETRIES_REFUSED, "whisper") >= 1
    assert amount(report, catalogue.UPSTREAM_OUTSTANDING, "whisper", "good") == 0


async def test_a_diarizer_s_chunks_are_counted_by_what_became_of_them(
    reports: dict[Scenario, Report],
) -> None:
    report = reports[a_diarizer]
    results = {"labelled": 2, "late": 1, "failed": 2, "left_out": 1}
    for result, chunks in results.items():
        assert amount(report, catalogue.DIARIZATIONS, result) == chunks
    assert amount(report, catalogue.DIARIZATION_SECONDS) == 5


async def test_sessions_are_counted_by_status(reports: dict[Scenario, Report]) -> None:
    report = reports[the_health_monitor]
    assert amount(report, catalogue.SESSIONS, "active") == 2
    assert amount(report, catalogue.SESSIONS, "silent") == 1
    assert amount(report, catalogue.PART_HEALTHY, "database") == 1
    assert amount(report, catalogue.PART_HEALTHY, "whisper") == 0
    assert amount(report, catalogue.DATABASE_CONNECTIONS, "health_monitor", "busy") == 2
    assert amount(report, catalogue.ALERTS, "critical") >= 1


async def test_a_session_is_created_once_and_a_replaced_actor_counted(
    reports: dict[Scenario, Report],
) -> None:
    report = reports[the_coordinator]
    assert amount(report, catalogue.SESSIONS_CREATED) == 1
    assert amount(report, catalogue.ACTOR_RESTARTS, "session") == 1


async def test_viewers_are_counted(reports: dict[Scenario, Report]) -> None:
    report = reports[connections]
    assert amount(report, catalogue.CONNECTIONS, "live") == 1
    assert amount(report, catalogue.CONNECTIONS_REFUSED) == 1
    assert amount(report, catalogue.REQUESTS_REFUSED) == 1
    assert amount(report, catalogue.MESSAGE_BYTES, "sent") == 100
