"""HTTP: how the service is, from what its health monitor last said."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse

import orchestration
from orchestration.api.ports import Sessions
from orchestration.errors import OrchestrationError
from orchestration.health.integrations import IntegrationStatus
from orchestration.health.report import HealthReport, ServiceHealth, ServiceStatus, Trend
from orchestration.json_types import JsonObject, JsonValue
from orchestration.process_clock import unix_time_ms
from orchestration.session.events import iso_utc

REFRESH_S = 1.0
"""A report older than this is renewed, behind the answer that it gives."""
FIRST_REPORT_S = 2.0
"""How long the first question waits for a report; every other is answered at once."""
STALE_S = 30.0
"""A report older than this says that the monitor itself is away."""

_log = structlog.get_logger(__name__)


class HealthView(BaseModel):
    """The service in short; open to everybody, so it names no addresses: services behind are named
    by their pool and a number."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    services: dict[str, str]
    uptime: float
    healthy_services: int
    total_services: int
    timestamp: str


class RecentErrorView(BaseModel):
    """A probe that failed."""

    time: str
    detail: str


class ServiceView(BaseModel):
    """One part of the service, since its monitor started.

    A service behind is a part of its own, named by its URL, with the `pool` that it stands in.
    Times are ISO 8601, response times milliseconds; averages and trend are of the last good probes.
    """

    name: str
    url: str | None
    pool: str | None
    kind: str | None
    status: ServiceStatus
    detail: str
    last_check: str | None
    last_success: str | None
    last_failure: str | None
    consecutive_failures: int
    consecutive_successes: int
    total_checks: int
    successful_checks: int
    uptime_percentage: float | None
    response_time: int | None
    average_response_time: int | None
    response_time_trend: Trend
    recent_errors: list[RecentErrorView]


class EngineView(BaseModel):
    """What the last probe of an engine found."""

    name: str
    pool: str
    kind: str
    healthy: bool
    latency_ms: int
    detail: str


class IntegrationView(BaseModel):
    """A service that meetings go on without; `detail` says why it is not active."""

    name: str
    status: IntegrationStatus
    detail: str


class ServicesSummary(BaseModel):
    """The parts counted."""

    total_services: int
    healthy_services: int
    degraded_services: int
    unhealthy_services: int
    recovering_services: int
    overall_uptime: float | None
    overall_status: Literal["healthy", "degraded", "unhealthy"]
    open_sessions: int
    warm_actors: int


class ServicesView(BaseModel):
    """All parts of the service."""

    services: dict[str, ServiceView]
    engines: list[EngineView]
    integrations: list[IntegrationView]
    summary: ServicesSummary
    timestamp: str


class HealthCache:
    """The monitor's last report, renewed in the background: no answer waits for a dead actor."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._report: HealthReport | None = None
        self._reported_at_s = 0.0
        self._started_unix_ms = unix_time_ms()
        self._refresh: asyncio.Task[None] | None = None

    async def report(self) -> HealthReport:
        """The last report, or one that says that there is none."""
        if self._age_s() > REFRESH_S and (self._refresh is None or self._refresh.done()):
            self._refresh = asyncio.create_task(self._renew())
        if self._age_s() > STALE_S and self._refresh is not None:
            await asyncio.wait({self._refresh}, timeout=FIRST_REPORT_S)
        if self._report is None or self._age_s() > STALE_S:
            return self._silent()
        return self._report

    def _age_s(self) -> float:
        if self._report is None:
            return float("inf")
        return time.monotonic() - self._reported_at_s

    async def close(self) -> None:
        """Give up a renewal under way."""
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait({self._refresh})

    async def _renew(self) -> None:
        try:
            self._report = await self._sessions.health()
            self._reported_at_s = time.monotonic()
        except OrchestrationError as error:
            _log.warning("health_report_failed", reason=error.message)
        except Exception:
            _log.exception("health_report_failed")

    def _silent(self) -> HealthReport:
        monitor = ServiceHealth(
            name="health_monitor",
            status="unknown",
            url=None,
            last_check_unix_ms=None,
            latency_ms=None,
            consecutive_failures=0,
            detail="The health monitor does not answer.",
        )
        return HealthReport("degraded", (monitor,), 0, 0, self._started_unix_ms)


def health_router(cache: HealthCache) -> APIRouter:
    """`/api/health` and `/api/services`."""
    router = APIRouter(prefix="/api", tags=["health"])

    @router.get("/health", response_model=HealthView, responses={503: {"model": HealthView}})
    async def health() -> JSONResponse:
        """200 while the service is healthy or degraded, 503 when it is not. Wants no key."""
        report = await cache.report()
        body = health_json(report, unix_time_ms())
        return JSONResponse(body, status_code=503 if report.status == "unhealthy" else 200)

    @router.get("/services", response_model=ServicesView)
    async def services() -> JSONResponse:
        """Every part of the service as its monitor last saw it."""
        return JSONResponse(services_json(await cache.report(), unix_time_ms()))

    return router


def health_json(report: HealthReport, now_unix_ms: int) -> JsonObject:
    """A report in short."""
    statuses = [service.status for service in report.services]
    return {
        "status": report.status,
        "version": orchestration.__version__,
        "services": _statuses(report.services),
        "uptime": max(0, now_unix_ms - report.started_unix_ms) / 1000,
        "healthy_services": statuses.count("healthy"),
        "total_services": len(statuses),
        "timestamp": iso_utc(now_unix_ms),
    }


def _statuses(services: Sequence[ServiceHealth]) -> dict[str, JsonValue]:
    """Each part's status, under a name without an address."""
    statuses: dict[str, JsonValue] = {}
    numbers: Counter[str] = Counter()
    for service in services:
        name = service.name
        if service.url is not None and service.url in name:
            pool = service.pool or "service"
            numbers[pool] += 1
            name = f"{pool} {numbers[pool]}"
        statuses[name] = service.status
    return statuses


def services_json(report: HealthReport, now_unix_ms: int) -> JsonObject:
    """A report in full."""
    statuses = [service.status for service in report.services]
    return {
        "services": {service.name: _service_json(service) for service in report.services},
        "engines": [
            {
                "name": engine.name,
                "pool": engine.pool,
                "kind": engine.kind,
                "healthy": engine.healthy,
                "latency_ms": engine.latency_ms,
                "detail": engine.detail,
            }
            for engine in report.engines
        ],
        "integrations": [
            {"name": one.name, "status": one.status, "detail": one.detail}
            for one in report.integrations
        ],
        "summary": {
            "total_services": len(statuses),
            "healthy_services": statuses.count("healthy"),
            "degraded_services": statuses.count("degraded"),
            "unhealthy_services": statuses.count("unhealthy"),
            "recovering_services": statuses.count("recovering"),
            "overall_uptime": _share(
                sum(service.successful_checks for service in report.services),
                sum(service.total_checks for service in report.services),
            ),
            "overall_status": report.status,
            "open_sessions": report.open_sessions,
            "warm_actors": report.warm_actors,
        },
        "timestamp": iso_utc(now_unix_ms),
    }


def _service_json(service: ServiceHealth) -> JsonObject:
    errors: list[JsonValue] = [
        {"time": iso_utc(error.unix_ms), "detail": error.detail} for error in service.recent_errors
    ]
    return {
        "name": service.name,
        "url": service.url,
        "pool": service.pool,
        "kind": service.kind,
        "status": service.status,
        "detail": service.detail,
        "last_check": _moment(service.last_check_unix_ms),
        "last_success": _moment(service.last_success_unix_ms),
        "last_failure": _moment(service.last_failure_unix_ms),
        "consecutive_failures": service.consecutive_failures,
        "consecutive_successes": service.consecutive_successes,
        "total_checks": service.total_checks,
        "successful_checks": service.successful_checks,
        "uptime_percentage": _share(service.successful_checks, service.total_checks),
        "response_time": service.latency_ms,
        "average_response_time": service.average_latency_ms,
        "response_time_trend": service.trend,
        "recent_errors": errors,
    }


def _moment(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else iso_utc(unix_ms)


def _share(part: int, whole: int) -> float | None:
    """In per cent; None of nothing."""
    return round(100 * part / whole, 2) if whole else None
