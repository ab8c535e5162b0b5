"""Prometheus' own programs with the repository's configuration, and a real one that scrapes."""

import asyncio
import contextlib
import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from orchestration.json_types import JsonObject
from orchestration.metrics import catalogue
from tests.doubles.api_server import api_server
from tests.doubles.local_figures import LocalFigures
from tests.prometheus import MONITORING, PATIENCE_S, alertmanager, program, prometheus
from tests.service import free_port

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
def test_promtool_finds_nothing_wrong(command: tuple[str, ...], tmp_path: Path) -> None:
    # A copy: the lists of addresses that a stopped service has left in this clone are not its own.
    copied = shutil.copytree(MONITORING, tmp_path / "configs" / "monitoring")
    done = subprocess.run(
        [program("promtool"), *command], cwd=copied, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout + done.stderr


def test_amtool_finds_nothing_wrong() -> None:
    done = subprocess.run(
        [program("amtool"), "check-config", "alertmanager.yml"],
        cwd=MONITORING,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("severity", "receiver"), [("page", "people"), ("ticket", "tickets")])
def test_alerts_go_to_whom_their_severity_says(severity: str, receiver: str) -> None:
    config = f"--config.file={MONITORING / 'alertmanager.yml'}"
    done = subprocess.run(
        [program("amtool"), "config", "routes", "test", config, f"severity={severity}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [receiver]


class Phone:
    """Whoever is told by a webhook of Alertmanager's: alerts by name, as they were told."""

    def __init__(self) -> None:
        self.told: dict[str, list[JsonObject]] = {"people": [], "tickets": []}

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Its URL, below which each receiver has its name."""
        app = web.Application()
        app.router.add_post("/{receiver}", self._ring)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield "http://{}:{}".format(*runner.addresses[0][:2])
        finally:
            await runner.cleanup()

    async def hears(self, receiver: str, alert: str, status: str) -> JsonObject:
        """The alert, as soon as the receiver is told that it is `firing` or `resolved`."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for one in self.told[receiver]:
                    if (one["labels"]["alertname"], one["status"]) == (alert, status):  # type: ignore[index,call-overload]
                        return one
                await asyncio.sleep(0.05)

    async def _ring(self, request: web.Request) -> web.Response:
        self.told[request.match_info["receiver"]] += (await request.json())["alerts"]
        return web.Response()


async def test_an_alert_reaches_people_when_it_fires_and_when_it_is_over(tmp_path: Path) -> None:
    phone, measures = Phone(), LocalFigures()
    measures.meter.set(catalogue.PART_HEALTHY, 0, "database")
    measures.meter.set(catalogue.JOURNAL_LAG_SECONDS, 90)
    async with (
        phone.listening() as url,
        alertmanager(tmp_path, f"{url}/people", f"{url}/tickets") as manager,
        api_server(tmp_path, measures=measures) as server,
        prometheus(tmp_path, server.host, alertmanager=manager),
    ):
        page = await phone.hears("people", "PartUnhealthy", "firing")
        ticket = await phone.hears("tickets", "TranscriptsBehind", "firing")
        measures.meter.set(catalogue.PART_HEALTHY, 1, "database")
        await phone.hears("people", "PartUnhealthy", "resolved")
    assert page["labels"] | {"node": ""} == {  # type: ignore[operator]
        **{"alertname": "PartUnhealthy", "severity": "page", "part": "database"},
        **{"instance": server.host, "job": "orchestration", "node": ""},
    }
    assert page["annotations"]["summary"].startswith("database has not answered")  # type: ignore[index,call-overload,union-attr]
    assert "1m 30s" in str(ticket["annotations"])


async def test_while_the_service_is_away_nothing_else_is_told(tmp_path: Path) -> None:
    phone, nobody = Phone(), f"127.0.0.1:{free_port()}"
    async with (
        phone.listening() as url,
        alertmanager(tmp_path, f"{url}/people", f"{url}/tickets") as manager,
        aiohttp.ClientSession() as client,
        prometheus(tmp_path, nobody, alertmanager=manager),
    ):
        await phone.hears("people", "ServiceUnreachable", "firing")
        follows = {"labels": {"alertname": "TranscriptsBehind", "severity": "ticket"}}
        async with client.post(f"http://{manager}/api/v2/alerts", json=[follows]) as response:
            assert response.status == 200
        state = "unprocessed"
        async with asyncio.timeout(PATIENCE_S):
            while state == "unprocessed":
                query = {"filter": 'alertname="TranscriptsBehind"'}
                async with client.get(f"http://{manager}/api/v2/alerts", params=query) as found:
                    (alert,) = await found.json()
                state = alert["status"]["state"]
    assert (state, len(alert["status"]["inhibitedBy"])) == ("suppressed", 1)
    assert phone.told["tickets"] == []


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
