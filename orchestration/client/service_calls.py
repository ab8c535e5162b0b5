"""The client's methods for the service itself: how it is, what it counts, who is connected."""

from collections.abc import AsyncGenerator

from orchestration.client.server_sent_events import EventParser, ServerSentEvent, events_of
from orchestration.client.transport import Transport
from orchestration.json_types import JsonObject


class ServiceCalls(Transport):
    """Health, alerts, figures, connections, and tickets."""

    async def health(self) -> JsonObject:
        """The service's own word on itself, also when it is unhealthy (HTTP 503)."""
        return await self._json("GET", "/api/health", accept=(503,))

    async def services(self) -> JsonObject:
        """The health of every part, with its history."""
        return await self._json("GET", "/api/services")

    async def alerts(self) -> JsonObject:
        """What holds now, critical first."""
        return await self._json("GET", "/api/alerts")

    async def past_alerts(self, *, before: int | None = None) -> JsonObject:
        """All alerts that are kept, newest first, by the page: those with ids below `before`."""
        return await self._json("GET", "/api/alerts", query={"state": "all", "before": before})

    async def metrics(self) -> JsonObject:
        """What the service counts."""
        return await self._json("GET", "/api/metrics")

    async def alert_events(
        self, after: int | None = None, *, parser: EventParser | None = None
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """One stream of alerts, until it breaks; `orchestration.client.alerts` makes it anew."""
        async with self._request("GET", "/api/alerts/stream", query={"after": after}) as response:
            async for event in events_of(response, parser or EventParser()):
                yield event

    async def prometheus_metrics(self) -> str:
        """Every figure of all nodes in Prometheus' text format."""
        return await self._text("GET", "/metrics")

    async def dashboard(self) -> JsonObject:
        """All that an operator looks at."""
        return await self._json("GET", "/api/dashboard")

    async def connections(
        self, *, session_id: str | None = None, limit: int | None = None
    ) -> JsonObject:
        """Open WebSockets of all ingress replicas, oldest first."""
        query = {"session_id": session_id, "limit": limit}
        return await self._json("GET", "/api/websocket/connections", query=query)

    async def connection_statistics(self) -> JsonObject:
        """WebSockets of all ingress replicas in sum, and their limits."""
        return await self._json("GET", "/api/websocket/stats")

    async def ticket(self) -> JsonObject:
        """`{ticket, expires_in}`, for one WebSocket of a browser."""
        return await self._json("POST", "/api/tickets")
