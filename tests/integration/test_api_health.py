"""What the HTTP API says of the service's health, its parts and alerts."""

from dataclasses import replace
from typing import Any

import pytest

from orchestration.api import health
from orchestration.health.alerts import Alert
from orchestration.health.integrations import Integration
from orchestration.health.report import HealthReport, ServiceHealth
from orchestration.storage.alert_ports import AlertChange
from tests.doubles.api_server import ApiServer


@pytest.mark.parametrize(
    ("overall", "status"), [("healthy", 200), ("degraded", 200), ("unhealthy", 503)]
)
async def test_health_is_503_only_when_unhealthy(
    server: ApiServer, overall: Any, status: int
) -> None:
    url = "http://10.0.0.9"
    services = (
        ServiceHealth("database", "healthy", None, 1000, 2, 0),
        replace(
            ServiceHealth(url, "unhealthy", url, None, None, 4, "refused"), pool="transcription"
        ),
    )
    server.sessions.report = HealthReport(overall, services, 3, 1, 0)
    answer, body = await server.json("GET", "/api/health")

    assert (answer, body["status"]) == (status, overall)
    assert body["services"] == {"database": "healthy", "transcription 1": "unhealthy"}
    assert (body["healthy_services"], body["total_services"]) == (1, 2)
    assert "10.0.0.9" not in str(body)
    _, full = await server.json("GET", "/api/services")
    listed: Any = full["services"]
    assert listed[url]["consecutive_failures"] == 4
    assert listed["database"]["last_check"] == "1970-01-01T00:00:01.000Z"


async def test_what_meetings_go_on_without_is_listed_and_no_fault(server: ApiServer) -> None:
    absent = Integration("google_meet", "not_configured", "No credentials are set.")
    server.sessions.report = HealthReport(
        "healthy",
        (ServiceHealth("database", "healthy", None, 1000, 2, 0),),
        0,
        1,
        0,
        integrations=(absent,),
    )
    _, body = await server.json("GET", "/api/services")
    summary: Any = body["summary"]
    assert body["integrations"] == [
        {
            "name": "google_meet",
            "status": "not_configured",
            "detail": "No credentials are set.",
        }
    ]
    assert (summary["overall_status"], summary["total_services"]) == ("healthy", 1)


async def test_alerts_say_what_holds_and_what_was(server: ApiServer) -> None:
    holds = Alert("disk_full", "critical", "machine", "Disk of the data: 97 %.", 97, 1000)
    was = Alert("part_unhealthy", "critical", "whisper", "whisper is unhealthy.", 1, 1000, 3000, 7)
    server.archive.changes.append(AlertChange(1, "cleared", 3000, was))
    server.sessions.report = HealthReport(
        "healthy",
        (ServiceHealth("database", "healthy", None, 1000, 2, 0),),
        3,
        1,
        0,
        alerts=(holds,),
        system={"disk_percent": 97},
        queues={"chunks_waiting": 2},
        recovery={"replace_session_done": 1},
        alerting={"alert_posts_waiting": 3},
    )
    status, body = await server.json("GET", "/api/alerts")

    active: Any = body["items"]
    assert (status, body["next_before"]) == (200, None)
    assert [(one["code"], one["cleared_at"]) for one in active] == [("disk_full", None)]
    _, body = await server.json("GET", "/api/alerts?state=all&before=8&limit=1")
    kept: Any = body["items"]
    assert [(one["id"], one["subject"], one["cleared_at"]) for one in kept] == [
        (7, "whisper", "1970-01-01T00:00:03.000Z")
    ]
    status, board = await server.json("GET", "/api/dashboard")
    shown: Any = board
    assert (status, shown["alerts"], shown["system"]) == (200, active, {"disk_percent": 97})
    assert (list(shown["services"]), shown["summary"]["open_sessions"]) == (["database"], 3)
    status, figures = await server.json("GET", "/api/metrics")
    counted: Any = figures
    assert (status, counted["active_alerts"]) == (200, {"critical": 1})
    assert counted["health_stats"] == shown["summary"]
    assert counted["system"] == {"disk_percent": 97}
    for one in (shown, counted):
        assert one["queues"]["chunks_waiting"] == 2
        assert one["recovery"] == {"replace_session_done": 1}
        assert one["alerting"] == {"alert_posts_waiting": 3}
    assert counted["queues"]["ingest_items_waiting"] == 0
    assert counted["websocket_stats"]["active_connections"] == 0


async def test_health_never_waits_for_a_monitor_that_is_away(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FIRST_REPORT_S", 0.01)
    server.sessions.health_gate.clear()
    status, body = await server.json("GET", "/api/health")

    assert (status, body["status"]) == (200, "degraded")
    assert body["services"] == {"health_monitor": "unknown"}
