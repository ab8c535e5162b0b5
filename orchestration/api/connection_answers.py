"""The connections of a replica as one answer, and the answers of several as one.

Pure: times are arguments.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from orchestration.api.connections import Connection, ConnectionRegistry


@dataclass(frozen=True, slots=True)
class ConnectionsQuestion:
    """The oldest `limit` connections are wanted, of one session or of all; 0 for the sums alone."""

    session_id: str | None = None
    limit: int = 0


@dataclass(frozen=True, slots=True)
class JobQuestion:
    """How an upload is doing; each replica answers with its view of it, or None."""

    job_id: str


@dataclass(frozen=True, slots=True)
class ConnectionFigures:
    """One connection as it stands. Rates are messages a second."""

    connection_id: str
    kind: str
    address: str
    agent: str
    session_id: str | None
    since_unix_ms: int
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    in_per_s: float
    out_per_s: float


@dataclass(frozen=True, slots=True)
class ReplicaConnections:
    """What one replica says of its connections. `listed` are those asked for, of `matching`."""

    open: int
    opened: int
    refused: int
    peak: int
    peak_unix_ms: int | None
    by_kind: dict[str, int]
    addresses: frozenset[str]
    sessions: frozenset[str]
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    in_per_s: float
    out_per_s: float
    matching: int
    listed: tuple[ConnectionFigures, ...]


def replica_connections(
    registry: ConnectionRegistry, question: ConnectionsQuestion, now_ms: int
) -> ReplicaConnections:
    """A replica's answer."""
    wanted = question.session_id
    matching = [one for one in registry if wanted is None or one.session_id == wanted]
    received, sent = registry.received, registry.sent
    return ReplicaConnections(
        open=len(registry),
        opened=registry.opened,
        refused=registry.refused,
        peak=registry.peak,
        peak_unix_ms=registry.peak_unix_ms,
        by_kind=registry.by_kind(),
        addresses=frozenset(registry.addresses),
        sessions=frozenset(registry.sessions),
        messages_in=received.messages,
        messages_out=sent.messages,
        bytes_in=received.bytes,
        bytes_out=sent.bytes,
        in_per_s=received.per_s(now_ms),
        out_per_s=sent.per_s(now_ms),
        matching=len(matching),
        listed=tuple(_figures(one, now_ms) for one in islice(matching, question.limit)),
    )


def merged(answers: Sequence[ReplicaConnections], limit: int) -> ReplicaConnections:
    """All replicas as one, with the oldest `limit` connections.

    The peaks of replicas need not have been at one moment: their sum is the most that there can
    have been, and its time is that of the highest.
    """
    kinds: Counter[str] = Counter()
    for one in answers:
        kinds.update(one.by_kind)
    listed = sorted(
        (figures for one in answers for figures in one.listed), key=lambda one: one.since_unix_ms
    )
    return ReplicaConnections(
        open=sum(one.open for one in answers),
        opened=sum(one.opened for one in answers),
        refused=sum(one.refused for one in answers),
        peak=sum(one.peak for one in answers),
        peak_unix_ms=max(answers, key=lambda one: one.peak).peak_unix_ms,
        by_kind=dict(kinds),
        addresses=frozenset().union(*(one.addresses for one in answers)),
        sessions=frozenset().union(*(one.sessions for one in answers)),
        messages_in=sum(one.messages_in for one in answers),
        messages_out=sum(one.messages_out for one in answers),
        bytes_in=sum(one.bytes_in for one in answers),
        bytes_out=sum(one.bytes_out for one in answers),
        in_per_s=sum(one.in_per_s for one in answers),
        out_per_s=sum(one.out_per_s for one in answers),
        matching=sum(one.matching for one in answers),
        listed=tuple(listed[:limit]),
    )


def _figures(one: Connection, now_ms: int) -> ConnectionFigures:
    return ConnectionFigures(
        connection_id=one.connection_id,
        kind=one.kind,
        address=one.address,
        agent=one.agent,
        session_id=one.session_id,
        since_unix_ms=one.since_unix_ms,
        messages_in=one.received.messages,
        messages_out=one.sent.messages,
        bytes_in=one.received.bytes,
        bytes_out=one.sent.bytes,
        in_per_s=one.received.per_s(now_ms),
        out_per_s=one.sent.per_s(now_ms),
    )
