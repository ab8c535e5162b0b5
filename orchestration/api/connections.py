"""Who is connected by WebSocket, and what each brings: counted, and limited.

Pure: times are arguments. `limits.py` asks it before a socket is let in and tells it each message.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from orchestration.errors import LimitReached

RATE_WINDOW_MS = 10_000
"""Rates are of the last whole window, so that one message says little and a silence shows soon."""
MAX_AGENT_CHARACTERS = 200
"""Of a User-Agent; the rest is not kept."""


@dataclass(slots=True)
class Traffic:
    """Messages one way, and how many a second."""

    messages: int = 0
    bytes: int = 0
    _window: int = -1
    _in_window: int = 0
    _in_last: int = 0

    def count(self, size_bytes: int, now_ms: int) -> None:
        """One more message."""
        self._turn(now_ms)
        self.messages += 1
        self.bytes += size_bytes
        self._in_window += 1

    def per_s(self, now_ms: int) -> float:
        """Messages a second over the last whole window."""
        self._turn(now_ms)
        return self._in_last * 1000 / RATE_WINDOW_MS

    def _turn(self, now_ms: int) -> None:
        window = now_ms // RATE_WINDOW_MS
        if window != self._window:
            self._in_last = self._in_window if window == self._window + 1 else 0
            self._window, self._in_window = window, 0


@dataclass(slots=True, eq=False)
class Connection:
    """One WebSocket. `kind` is `ingest`, `live`, `socket_io` or `other`; `session_id` the one that
    its URL names, or that it joined."""

    connection_id: str
    kind: str
    address: str
    agent: str
    session_id: str | None
    since_unix_ms: int
    received: Traffic = field(default_factory=Traffic)
    sent: Traffic = field(default_factory=Traffic)


class ConnectionRegistry:
    """The open WebSockets of one process, and the sums over all that ever were."""

    def __init__(self, max_connections: int, max_per_address: int) -> None:
        """`max_per_address` is not for loopback addresses: behind one there may be a proxy."""
        self.limit(max_connections, max_per_address)
        self._open: dict[str, Connection] = {}
        self._by_address: Counter[str] = Counter()
        self.opened = 0
        self.refused = 0
        self.peak = 0
        self.peak_unix_ms: int | None = None
        self.received = Traffic()
        self.sent = Traffic()

    def limit(self, max_connections: int, max_per_address: int) -> None:
        """Let this many in from now on; nobody is put out."""
        self._max_connections = max_connections
        self._max_per_address = max_per_address

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        """The open ones, oldest first."""
        return iter(self._open.values())

    def open(self, connection: Connection) -> None:
        """Let a connection in.

        Raises:
            LimitReached: as many are open as are allowed, in all or of its address.
        """
        self._check(connection.address)
        self._open[connection.connection_id] = connection
        self._by_address[limited_as(connection.address)] += 1
        self.opened += 1
        if len(self._open) > self.peak:
            self.peak, self.peak_unix_ms = len(self._open), connection.since_unix_ms

    def close(self, connection: Connection) -> None:
        """A connection that was let in is gone."""
        del self._open[connection.connection_id]
        address = limited_as(connection.address)
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def by_kind(self) -> dict[str, int]:
        """How many are open of each kind."""
        return dict(Counter(one.kind for one in self))

    @property
    def sessions(self) -> Iterable[str]:
        """The sessions that the open ones are about."""
        return {one.session_id for one in self if one.session_id is not None}

    @property
    def addresses(self) -> Iterable[str]:
        """The addresses of the open ones."""
        return self._by_address.keys()

    def _check(self, address: str) -> None:
        if len(self._open) >= self._max_connections:
            self.refused += 1
            raise LimitReached(
                f"{self._max_connections} WebSockets are open, as many as are allowed.",
                {"limit": "websocket_max_connections", "max": self._max_connections},
            )
        if self._by_address[limited_as(address)] >= self._max_per_address and not is_loopback(
            address
        ):
            self.refused += 1
            raise LimitReached(
                f"{self._max_per_address} WebSockets of your address are open, as many as may be.",
                {"limit": "websocket_max_per_address", "max": self._max_per_address},
            )


def is_loopback(address: str) -> bool:
    """Whether it is this machine's own; what is no address is not."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def limited_as(address: str) -> str:
    """By what limits of one address know a client: an IPv6 address by its network of 64 bits, as
    whoever has one address of it has them all (RFC 6177); any other as it is."""
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
