"""A process's WebSockets, and the requests it refused, in figures."""

from orchestration.api.connections import ConnectionRegistry
from orchestration.api.request_rate import RequestBuckets
from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter

KINDS = ("ingest", "live", "socket_io", "other")


def sample_connections(meter: Meter, registry: ConnectionRegistry) -> None:
    """Who is connected, and what went through."""
    by_kind = registry.by_kind()
    for kind in KINDS:
        meter.set(catalogue.CONNECTIONS, by_kind.get(kind, 0), kind)
    meter.count_to(catalogue.CONNECTIONS_OPENED, registry.opened)
    meter.count_to(catalogue.CONNECTIONS_REFUSED, registry.refused)
    for direction, traffic in (("received", registry.received), ("sent", registry.sent)):
        meter.count_to(catalogue.MESSAGES, traffic.messages, direction)
        meter.count_to(catalogue.MESSAGE_BYTES, traffic.bytes, direction)


def sample_requests(meter: Meter, buckets: RequestBuckets) -> None:
    """How many were beyond their client's limit."""
    meter.count_to(catalogue.REQUESTS_REFUSED, buckets.refused)
