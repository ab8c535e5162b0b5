"""HTTP: who is connected by WebSocket."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from orchestration.api.connection_answers import (
    ConnectionFigures,
    ConnectionsQuestion,
    ReplicaConnections,
    merged,
)
from orchestration.api.replicas import Replicas
from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.config.current import CurrentSettings
from orchestration.config.models import ServerSettings
from orchestration.process_clock import unix_time_ms
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
    """Open WebSockets of all replicas, oldest first; `total` counts all that match."""

    connections: list[ConnectionView]
    total: int
    timestamp: str


class WebSocketStats(BaseModel):
    """The WebSockets of the `replicas_answering`, since each of them started; `replicas` there are.

    The limits are those of each replica. With several, `peak_connections` is the sum of their own
    peaks, which need not have been at one moment.
    """

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
    replicas_answering: int
    timestamp: str


def websocket_router(current: CurrentSettings, replicas: Replicas) -> APIRouter:
    """`/api/websocket`: connections and stats."""
    router = APIRouter(prefix="/api/websocket", tags=["websocket"])

    @router.get("/connections")
    async def connections(
        session_id: Annotated[str | None, Query(pattern=SESSION_ID_PATTERN)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
    ) -> ConnectionsView:
        """Who is connected: address, agent, since when, and what went either way."""
        found = merged(await replicas.connections(ConnectionsQuestion(session_id, limit)), limit)
        now_unix_ms = unix_time_ms()
        return ConnectionsView(
            connections=[_view(one, now_unix_ms) for one in found.listed],
            total=found.matching,
            timestamp=iso_utc(now_unix_ms),
        )

    @router.get("/stats")
    async def stats() -> WebSocketStats:
        """How many are connected and were, and what went either way."""
        return await websocket_stats(current.now.server, replicas)

    return router


async def websocket_stats(server: ServerSettings, replicas: Replicas) -> WebSocketStats:
    """The WebSockets of all replicas, counted."""
    answers = await replicas.connections(ConnectionsQuestion())
    all_of_them: ReplicaConnections = merged(answers, 0)
    peak_at = all_of_them.peak_unix_ms
    return WebSocketStats(
        active_connections=all_of_them.open,
        peak_connections=all_of_them.peak,
        peak_at=None if peak_at is None else iso_utc(peak_at),
        max_connections=server.websocket_max_connections,
        max_connections_per_address=server.websocket_max_per_address,
        idle_timeout_seconds=server.websocket_idle_timeout_s,
        connections_by_kind=all_of_them.by_kind,
        addresses=len(all_of_them.addresses),
        sessions=len(all_of_them.sessions),
        total_connections=all_of_them.opened,
        refused_connections=all_of_them.refused,
        messages_in=all_of_them.messages_in,
        messages_out=all_of_them.messages_out,
        bytes_in=all_of_them.bytes_in,
        bytes_out=all_of_them.bytes_out,
        messages_in_per_second=all_of_them.in_per_s,
        messages_out_per_second=all_of_them.out_per_s,
        replicas=server.ingress_replicas,
        replicas_answering=len(answers),
        timestamp=iso_utc(unix_time_ms()),
    )


def _view(one: ConnectionFigures, now_unix_ms: int) -> ConnectionView:
    return ConnectionView(
        connection_id=one.connection_id,
        kind=one.kind,
        address=one.address,
        user_agent=one.agent,
        session_id=one.session_id,
        connected_at=iso_utc(one.since_unix_ms),
        connected_seconds=max(0, now_unix_ms - one.since_unix_ms) / 1000,
        messages_in=one.messages_in,
        messages_out=one.messages_out,
        bytes_in=one.bytes_in,
        bytes_out=one.bytes_out,
        messages_in_per_second=one.in_per_s,
        messages_out_per_second=one.out_per_s,
    )
