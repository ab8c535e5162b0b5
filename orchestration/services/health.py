"""What probes say about the parts of the service. Pure: probes go in, a report comes out."""

from dataclasses import dataclass
from typing import Literal

from orchestration.api.ports import ServiceHealth

FAILURES_UNTIL_UNHEALTHY = 3
"""Consecutive failed probes after which a part counts as unhealthy; before, it is degraded."""

ESSENTIAL = ("database", "coordinator")
"""Parts without which the service takes no meetings."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at one part of the service."""

    name: str
    healthy: bool
    latency_ms: int
    url: str | None = None
    detail: str = ""


class HealthBook:
    """Keeps the latest health of every part."""

    def __init__(self) -> None:
        self._services: dict[str, ServiceHealth] = {}

    @property
    def services(self) -> tuple[ServiceHealth, ...]:
        return tuple(self._services[name] for name in sorted(self._services))

    def record(self, probe: Probe, now_unix_ms: int) -> ServiceHealth:
        """Take a probe's result; returns the part's health by now."""
        before = self._services.get(probe.name)
        failures = 0 if probe.healthy else (before.consecutive_failures if before else 0) + 1
        status: Literal["healthy", "degraded", "unhealthy"]
        if probe.healthy:
            status = "healthy"
        elif failures < FAILURES_UNTIL_UNHEALTHY:
            status = "degraded"
        else:
            status = "unhealthy"
        health = ServiceHealth(
            name=probe.name,
            status=status,
            url=probe.url,
            last_check_unix_ms=now_unix_ms,
            latency_ms=probe.latency_ms,
            consecutive_failures=failures,
            detail=probe.detail,
        )
        self._services[probe.name] = health
        return health

    @property
    def overall(self) -> Literal["healthy", "degraded", "unhealthy"]:
        """`unhealthy` when an essential part is; `degraded` when anything else is not well."""
        if any(
            self._services[name].status == "unhealthy"
            for name in ESSENTIAL
            if name in self._services
        ):
            return "unhealthy"
        if all(one.status == "healthy" for one in self._services.values()):
            return "healthy"
        return "degraded"
