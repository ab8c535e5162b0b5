"""HTTP: the alerts that the health monitor raised, and all that an operator looks at at once."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse, StreamingResponse

from orchestration.api.alert_stream import AlertStreams
from orchestration.api.health import HealthCache, ServicesView, services_json
from orchestration.api.places import HeldResponse
from orchestration.errors import BadRequest
from orchestration.health.alert_json import alert_json
from orchestration.health.report import HealthReport
from orchestration.json_types import JsonObject
from orchestration.process_clock import unix_time_ms
from orchestration.session.events import iso_utc
from orchestration.session.fields import MAX_INTEGER
from orchestration.storage.alert_ports import AlertLog, AlertState

MAX_ALERTS_AT_ONCE = 200
ALERTS_AT_ONCE = 50

Number = Annotated[int | None, Query(ge=0, le=MAX_INTEGER)]


class AlertView(BaseModel):
    """One alert; `cleared_at` is null while it holds. `value` is the figure that raised it.

    `id` is null while it is not stored yet. `occurrence` counts how often it was raised for its
    subject, among the alerts that are kept.
    """

    id: int | None
    code: str
    level: Literal["warning", "critical"]
    subject: str
    message: str
    value: int
    occurrence: int
    raised_at: str
    cleared_at: str | None


class AlertsView(BaseModel):
    """Alerts; `next_before` is where the next page starts, null at the end."""

    items: list[AlertView]
    next_before: int | None
    timestamp: str


class DashboardView(ServicesView):
    """All parts, the machine's figures with their units in the names, and what holds now.

    `queues` is what waits now in sessions and dispatchers; `recovery` counts what was done about
    what was broken, and `alerting` what was stored and posted of alerts, since their starts.
    """

    system: dict[str, int]
    queues: dict[str, int]
    recovery: dict[str, int]
    alerting: dict[str, int]
    alerts: list[AlertView]


def alerts_router(cache: HealthCache, log: AlertLog) -> APIRouter:
    """`/api/alerts`, `/api/alerts/stream` and `/api/dashboard`."""
    router = APIRouter(prefix="/api", tags=["health"])
    streams = AlertStreams(log)

    @router.get("/alerts", response_model=AlertsView)
    async def alerts(
        state: AlertState = "open",
        before: Number = None,
        limit: Annotated[int, Query(ge=1, le=MAX_ALERTS_AT_ONCE)] = ALERTS_AT_ONCE,
    ) -> JSONResponse:
        """What an operator should know now: `open`, critical first, whatever the database does.

        `all` are the stored ones, newest first: pages of `limit`, each `before` the last.
        """
        if state == "open":
            report = await cache.report()
            items, next_before = report.alerts, None
        else:
            page, next_before = await log.alerts_page(state, before, limit)
            items = tuple(page)
        body: JsonObject = {
            "items": [alert_json(alert) for alert in items],
            "next_before": next_before,
            "timestamp": iso_utc(unix_time_ms()),
        }
        return JSONResponse(body)

    @router.get(
        "/alerts/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def stream(
        after: Number = None, last_event_id: Annotated[str | None, Header()] = None
    ) -> StreamingResponse:
        """Server-sent events: each alert as it is raised (`raised`) and cleared (`cleared`).

        Their ids are numbers that rise: `after`, or the header `Last-Event-ID`, resumes behind
        one, and 0 begins with the oldest that is kept. Without either the stream begins now.
        """
        begin = await streams.begin(_resumed(last_event_id) if after is None else after)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        streams.places.take()
        events = streams.events(begin)
        return HeldResponse(streams.places, events, media_type="text/event-stream", headers=headers)

    @router.get("/dashboard", response_model=DashboardView)
    async def dashboard() -> JSONResponse:
        """What an operator looks at: parts, engines, counts, the machine, and active alerts."""
        return JSONResponse(dashboard_json(await cache.report(), unix_time_ms()))

    return router


def dashboard_json(report: HealthReport, now_unix_ms: int) -> JsonObject:
    """A report with everything that holds now."""
    return {
        **services_json(report, now_unix_ms),
        "system": dict(report.system),
        "queues": dict(report.queues),
        "recovery": dict(report.recovery),
        "alerting": dict(report.alerting),
        "alerts": [alert_json(alert) for alert in report.alerts],
    }


def _resumed(last_event_id: str | None) -> int | None:
    if last_event_id is None:
        return None
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= 18):
        raise BadRequest("Last-Event-ID must be a number that this stream gave.")
    return int(last_event_id)
