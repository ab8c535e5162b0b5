"""The service's health as values: what its monitor tells of it, and of each of its parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestration.health.alerts import Alert
from orchestration.health.integrations import Integration
from orchestration.services.ports import EngineStatus

ServiceStatus = Literal["healthy", "degraded", "unhealthy", "recovering", "unknown"]
Trend = Literal["improving", "stable", "degrading", "unknown"]


@dataclass(frozen=True, slots=True)
class RecentError:
    """A probe that failed, and why."""

    unix_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One part of the service, how it is, and how it has been since its monitor started."""

    name: str
    status: ServiceStatus
    url: str | None
    last_check_unix_ms: int | None
    latency_ms: int | None
    """Of the last probe."""
    consecutive_failures: int
    detail: str = ""
    consecutive_successes: int = 0
    last_success_unix_ms: int | None = None
    last_failure_unix_ms: int | None = None
    total_checks: int = 0
    successful_checks: int = 0
    average_latency_ms: int | None = None
    """Of the last good probes."""
    trend: Trend = "unknown"
    recent_errors: tuple[RecentError, ...] = ()
    pool: str | None = None
    kind: str | None = None
    """Of a service behind: its pool, and what kind it is."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The service as its monitor sees it."""

    status: Literal["healthy", "degraded", "unhealthy"]
    services: tuple[ServiceHealth, ...]
    open_sessions: int
    warm_actors: int
    started_unix_ms: int
    engines: tuple[EngineStatus, ...] = field(default=())
    integrations: tuple[Integration, ...] = ()
    alerts: tuple[Alert, ...] = ()
    system: Mapping[str, int] = field(default_factory=dict)
    """The machine's figures by name, with their units in the names."""
    queues: Mapping[str, int] = field(default_factory=dict)
    """What waits now in the sessions and dispatchers, by the name of the queue."""
    recovery: Mapping[str, int] = field(default_factory=dict)
    """What was done about what was broken, in counts since the coordinator's start."""
    alerting: Mapping[str, int] = field(default_factory=dict)
    """How storing and posting alerts goes, in counts since the monitor's start."""
