"""HTTP: the alerts that the health monitor raised, and all that an operator looks at at once."""

import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

from orchestration.api.health import HealthCache, ServicesView, services_json
from orchestration.api.ports import HealthReport
from orchestration.errors import JsonObject
from orchestration.health.alerts import Alert
from orchestration.session.events import iso_utc


class AlertView(BaseModel):
    """One alert; `cleared_at` is null while it holds. `value` is the figure that raised it."""

    code: str
    level: Literal["warning", "critical"]
    subject: str
    message: str
    value: int
    raised_at: str
    cleared_at: str | None


class AlertsView(BaseModel):
    """What holds now, critical first, and the last hundred that no longer do, newest first."""

    active: list[AlertView]
    cleared: list[AlertView]
    timestamp: str


class DashboardView(ServicesView):
    """All parts, the machine's figures with their units in the names, and what holds now."""

    system: dict[str, int]
    alerts: list[AlertView]


def alerts_router(cache: HealthCache) -> APIRouter:
    """`/api/alerts` and `/api/dashboard`."""
    router = APIRouter(prefix="/api", tags=["health"])

    @router.get("/alerts", response_model=AlertsView)
    async def alerts() -> JSONResponse:
        """What an operator should know now, and what it was lately, since the monitor's start."""
        return JSONResponse(alerts_json(await cache.report(), _unix_ms()))

    @router.get("/dashboard", response_model=DashboardView)
    async def dashboard() -> JSONResponse:
        """What an operator looks at: parts, engines, counts, the machine, and active alerts."""
        return JSONResponse(dashboard_json(await cache.report(), _unix_ms()))

    return router


def alerts_json(report: HealthReport, now_unix_ms: int) -> JsonObject:
    """A report's alerts."""
    return {
        "active": [_alert_json(alert) for alert in report.alerts],
        "cleared": [_alert_json(alert) for alert in report.cleared_alerts],
        "timestamp": iso_utc(now_unix_ms),
    }


def dashboard_json(report: HealthReport, now_unix_ms: int) -> JsonObject:
    """A report with everything that holds now."""
    return {
        **services_json(report, now_unix_ms),
        "system": dict(report.system),
        "alerts": [_alert_json(alert) for alert in report.alerts],
    }


def _alert_json(alert: Alert) -> JsonObject:
    cleared = alert.cleared_unix_ms
    return {
        "code": alert.code,
        "level": alert.level,
        "subject": alert.subject,
        "message": alert.message,
        "value": alert.value,
        "raised_at": iso_utc(alert.raised_unix_ms),
        "cleared_at": None if cleared is None else iso_utc(cleared),
    }


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
