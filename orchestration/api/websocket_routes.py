"""HTTP: who is connected by WebSocket."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from orchestration.api.connections import Connection, ConnectionRegistry
from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.config.current import CurrentSettings
from orchestration.config.models import ServerSettings
from orchestration.session.events import iso_utc

MAX_LISTED = 1000


class ConnectionView(BaseModel):
    """One open WebSocket. Rates are messages a second over the last whole ten seconds."""

    connection_id: str
    kind: str
    address: str
    user_agent: str
    session_id: str | None
    connected_at: str
    connected_seconds: float
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    messages_in_per_second: float
    messages_out_per_second: float


class ConnectionsView(BaseModel):
    """Open WebSockets of the replica that answers, oldest first; `total` counts all that match."""

    connections: list[ConnectionView]
    total: int
    timestamp: str


class WebSocketStats(BaseModel):
    """The WebSockets of the replica that answers, since it started; `replicas` there are."""

    active_connections: int
    peak_connections: int
    peak_at: str | None
    max_connections: int
    max_connections_per_address: int
    idle_timeout_seconds: int
    connections_by_kind: dict[str, int]
    addresses: int
    sessions: int
    total_connections: int
    refused_connections: int
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    messages_in_per_second: float
    messages_out_per_second: float
    replicas: int
    timestamp: str


def websocket_router(current: CurrentSettings, registry: ConnectionRegistry) -> APIRouter:
    """`/api/websocket`: connections and stats."""
    router = APIRouter(prefix="/api/websocket", tags=["websocket"])

    @router.get("/connections")
    async def connections(
        session_id: Annotated[str | None, Query(pattern=SESSION_ID_PATTERN)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
    ) -> ConnectionsView:
        """Who is connected: address, agent, since when, and what went either way."""
        now_unix_ms = time.time_ns() // 1_000_000
        found = [one for one in registry if session_id in (None, one.session_id)]
        return ConnectionsView(
            connections=[_view(one, now_unix_ms) for one in found[:limit]],
            total=len(found),
            timestamp=iso_utc(now_unix_ms),
        )

    @router.get("/stats")
    async def stats() -> WebSocketStats:
        """How many are connected and were, and what went either way."""
        return websocket_stats(current.now.server, registry, time.time_ns() // 1_000_000)

    return router


def websocket_stats(
    server: ServerSettings, registry: ConnectionRegistry, now_unix_ms: int
) -> WebSocketStats:
    """The WebSockets of this process, counted."""
    peak_at = registry.peak_unix_ms
    return WebSocketStats(
        active_connections=len(registry),
        peak_connections=registry.peak,
        peak_at=None if peak_at is None else iso_utc(peak_at),
        max_connections=server.websocket_max_connections,
        max_connections_per_address=server.websocket_max_per_address,
        idle_timeout_seconds=server.websocket_idle_timeout_s,
        connections_by_kind=registry.by_kind(),
        addresses=registry.addresses,
        sessions=registry.sessions(),
        total_connections=registry.opened,
        refused_connections=registry.refused,
        messages_in=registry.received.messages,
        messages_out=registry.sent.messages,
        bytes_in=registry.received.bytes,
        bytes_out=registry.sent.bytes,
        messages_in_per_second=registry.received.per_s(now_unix_ms),
        messages_out_per_second=registry.sent.per_s(now_unix_ms),
        replicas=server.ingress_replicas,
        timestamp=iso_utc(now_unix_ms),
    )


def _view(one: Connection, now_unix_ms: int) -> ConnectionView:
    return ConnectionView(
        connection_id=one.connection_id,
        kind=one.kind,
        address=one.address,
        user_agent=one.agent,
        session_id=one.session_id,
        connected_at=iso_utc(one.since_unix_ms),
        connected_seconds=max(0, now_unix_ms - one.since_unix_ms) / 1000,
        messages_in=one.received.messages,
        messages_out=one.sent.messages,
        bytes_in=one.received.bytes,
        bytes_out=one.sent.bytes,
        messages_in_per_second=one.received.per_s(now_unix_ms),
        messages_out_per_second=one.sent.per_s(now_unix_ms),
    )
