"""Every metric happens, and says what was done."""

from typing import Any, cast, get_args

import pytest

from orchestration.health.alerts import Figure
from orchestration.health.part_measures import sample_machine, sample_parts, sample_sessions
from orchestration.metrics import catalogue
from orchestration.metrics.catalogue import CATALOGUE, Metric
from orchestration.metrics.meter import Report, Tally
from orchestration.services.balanced import BalancedTranscription
from orchestration.services.health import HealthBook, Probe
from orchestration.services.pool_figures import sample_pool
from orchestration.services.pool_members import WeightedEngine
from orchestration.session.status import SessionStatus
from tests.doubles.scripted_engines import ScriptedEngines
from tests.unit.metrics.scenarios import (
    SCENARIOS,
    Scenario,
    a_diarizer,
    a_pool,
    a_session,
    connections,
    merged,
    the_coordinator,
    the_health_monitor,
)
from tests.unit.metrics.session_under_measure import SPOKEN


def amount(report: Report, metric: Metric, *labels: str) -> float:
    """A counter's or gauge's value, or how many values a histogram has."""
    key = metric.name, labels
    if metric.kind == "histogram":
        return sum(report.histograms[key].counts) if key in report.histograms else 0
    kept = report.counters if metric.kind == "counter" else report.gauges
    return kept.get(key, 0)


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
