"""HTTP: the service's figures at once, for whoever polls JSON."""

from collections import Counter

from fastapi import APIRouter
from pydantic import BaseModel

from orchestration.api.health import HealthCache, ServicesSummary, services_json
from orchestration.api.ingest_queue import ingest_backlog
from orchestration.api.replicas import Replicas
from orchestration.api.websocket_routes import WebSocketStats, websocket_stats
from orchestration.config.current import CurrentSettings
from orchestration.process_clock import unix_time_ms
from orchestration.session.events import iso_utc
from orchestration.storage.pool import connection_waiters


class MetricsView(BaseModel):
    """What the service counts, units in the names.

    `health_stats`, `recovery`, `alerting` and `websocket_stats` are of the whole service, `system`
    of the health monitor's node. Of `queues`, what waits between sockets and sessions and
    `ingress_database_waiters` are of the replica that answers; the rest are of all sessions and
    dispatchers. `active_alerts` counts them by level.
    """

    uptime_seconds: float
    health_stats: ServicesSummary
    websocket_stats: WebSocketStats
    system: dict[str, int]
    queues: dict[str, int]
    recovery: dict[str, int]
    alerting: dict[str, int]
    active_alerts: dict[str, int]
    timestamp: str


def metrics_router(cache: HealthCache, current: CurrentSettings, replicas: Replicas) -> APIRouter:
    """`/api/metrics`."""
    router = APIRouter(prefix="/api", tags=["health"])

    @router.get("/metrics")
    async def metrics() -> MetricsView:
        """Sessions, parts, connections, the machine and alerts, in figures."""
        report = await cache.report()
        now_unix_ms = unix_time_ms()
        return MetricsView(
            uptime_seconds=max(0, now_unix_ms - report.started_unix_ms) / 1000,
            health_stats=ServicesSummary.model_validate(
                services_json(report, now_unix_ms)["summary"]
            ),
            websocket_stats=await websocket_stats(current.now.server, replicas),
            system=dict(report.system),
            queues={**report.queues, **own_queues()},
            recovery=dict(report.recovery),
            alerting=dict(report.alerting),
            active_alerts=dict(Counter(alert.level for alert in report.alerts)),
            timestamp=iso_utc(now_unix_ms),
        )

    return router


def own_queues() -> dict[str, int]:
    """What waits in this replica."""
    return {**ingest_backlog(), "ingress_database_waiters": connection_waiters()}
