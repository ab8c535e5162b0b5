"""A real Prometheus scrapes the real service."""

import glob
import json
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests.alloy import read_alloy
from tests.prometheus import MONITORING, prometheus
from tests.service import RunningService

REPORTING = ("session", "coordinator", "health_monitor", "ingress")


async def test_prometheus_knows_how_the_service_and_its_processes_are(
    running: RunningService, tmp_path: Path
) -> None:
    async with prometheus(tmp_path, urlsplit(running.url).netloc) as scraping:
        assert await scraping.value('orchestration_part_healthy{part="database"} == 1') == 1
        for process in REPORTING:
            limit = f'sum(orchestration_database_connections_max{{process="{process}"}})'
            assert await scraping.value(limit) >= 1
        pool = 'orchestration_upstream_breaker_state{pool="whisper",state="closed"}'
        assert await scraping.value(pool) == 1


async def test_alloy_finds_the_logs_and_every_field_that_it_takes_from_them(
    running: RunningService,
) -> None:
    blocks = {
        one.name: one for one in read_alloy((MONITORING / "logs.alloy").read_text(encoding="utf-8"))
    }
    (target,) = blocks["local.file_match.service"].attributes["path_targets"]
    pattern = target["__path__"].arguments[0].replace("%s", str(running.data_dir))
    text = [Path(name).read_text(encoding="utf-8") for name in glob.glob(pattern)]  # noqa: ASYNC240
    lines = [line for one in text for line in one.splitlines() if line.startswith('{"')]
    assert any('"event": "coordinator_ready"' in line for line in lines)
    json_stage = next(
        one for one in blocks["loki.process.service"].blocks if one.kind == "stage.json"
    )
    for line in lines:
        assert set(json_stage.attributes["expressions"].values()) <= json.loads(line).keys()


async def test_ray_lists_where_its_own_figures_are(running: RunningService) -> None:
    listed = running.data_dir / "run" / "ray" / "prom_metrics_service_discovery.json"
    targets = [target for group in json.loads(listed.read_text()) for target in group["targets"]]
    assert targets
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://{targets[0]}/metrics") as response,
    ):
        text = await response.text()
    assert "ray_" in text
