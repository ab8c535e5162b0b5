"""Alerts by the Python client, whatever happens to their stream."""

from contextlib import aclosing

from aiohttp import web

from orchestration.client.alerts import AlertNews, watch_alerts
from orchestration.client.api import OrchestrationClient
from tests.doubles.unreliable_service import served_by

LATER = 'id: 1\nevent: muted\ndata: whatever\n\nid: 2\nevent: raised\ndata: {"id": 7}\n\n'


async def test_an_event_of_a_later_version_is_no_alert() -> None:
    async def stream(request: web.Request) -> web.Response:
        return web.Response(text=LATER, content_type="text/event-stream")

    async with (
        served_by(web.get("/api/alerts/stream", stream)) as url,
        OrchestrationClient(url) as client,
        aclosing(watch_alerts(client, after=0)) as news,
    ):
        assert await anext(news) == AlertNews(2, "raised", {"id": 7})


async def test_alerts_that_come_while_no_stream_is_there_are_not_missed() -> None:
    parts = ["retry: 3000\nid: 7\n\n", 'event: raised\nid: 8\ndata: {"code": "disk_full"}\n\n']
    after: list[str | None] = []

    async def stream(request: web.Request) -> web.Response:
        after.append(request.query.get("after"))
        return web.Response(text=parts[len(after) - 1], content_type="text/event-stream")

    async with (
        served_by(web.get("/api/alerts/stream", stream)) as url,
        OrchestrationClient(url) as client,
        aclosing(watch_alerts(client, uniform=lambda: 0.0)) as news,
    ):
        told = await anext(news)
    assert told == AlertNews(8, "raised", {"code": "disk_full"})
    assert after == [None, "7"]
