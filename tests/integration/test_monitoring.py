"""Prometheus' own programs with the repository's configuration, and a real one that scrapes."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from orchestration.metrics import catalogue
from orchestration.metrics.local import LocalFigures
from tests.doubles.api_server import api_server
from tests.prometheus import MONITORING, program, prometheus

KEY = "correct horse battery staple"


@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [program("promtool"), *command], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout + done.stderr


async def test_prometheus_scrapes_the_service_with_its_key_and_answers_queries(
    tmp_path: Path,
) -> None:
    measures = LocalFigures()
    measures.meter.count(catalogue.FRAMES, 7)
    measures.meter.observe(catalogue.CHUNK_SECONDS, 0.3, "transcribe")
    key_hash = hashlib.sha256(KEY.encode()).hexdigest()
    async with (
        api_server(tmp_path, measures=measures, server={"api_key_sha256": key_hash}) as server,
        prometheus(tmp_path, server.host, KEY) as running,
    ):
        await server.session()
        async with server.live(headers={"Authorization": f"Bearer {KEY}"}):
            live = 'orchestration_websocket_connections{kind="live"} == 1'
            assert await running.value(live) == 1
        assert await running.value("sum(orchestration_frames_total)") == 7
        buckets = 'orchestration_chunk_seconds_bucket{stage="transcribe",le="0.5"}'
        assert await running.value(buckets) == 1
        assert await running.value('up{job="orchestration"}') == 1
        metadata = await running.ask("metadata", metric=catalogue.SESSIONS.name)
        rules = await running.ask("rules")

    assert metadata is not None
    (group,) = rules["groups"]
    assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}


async def test_without_the_key_nobody_reads_the_metrics(tmp_path: Path) -> None:
    key_hash = hashlib.sha256(KEY.encode()).hexdigest()
    async with api_server(tmp_path, server={"api_key_sha256": key_hash}) as server:
        status, problem = await server.json("GET", "/metrics")
    assert (status, problem["code"]) == (401, "not_authenticated")
