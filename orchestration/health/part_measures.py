"""What the health monitor knows, in figures for Prometheus."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from orchestration.health.alerts import Alert, Figure
from orchestration.health.report import ServiceHealth
from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter

LEVELS = ("warning", "critical")


def sample_sessions(meter: Meter, statuses: Iterable[str], warm_actors: int) -> None:
    """`statuses` of the open sessions."""
    for status, sessions in Counter(statuses).items():
        meter.set(catalogue.SESSIONS, sessions, status)
    meter.set(catalogue.WARM_ACTORS, warm_actors)


def sample_parts(meter: Meter, services: Sequence[ServiceHealth], alerts: Sequence[Alert]) -> None:
    """The parts of the service, and the alerts that hold."""
    for one in services:
        if one.total_checks:
            meter.set(catalogue.PART_HEALTHY, float(not one.consecutive_failures), one.name)
        if one.latency_ms is not None and not one.consecutive_failures:
            meter.set(catalogue.PART_PROBE_SECONDS, one.latency_ms / 1000, one.name)
    by_level: Mapping[str, int] = Counter(alert.level for alert in alerts)
    for level in LEVELS:
        meter.set(catalogue.ALERTS, by_level.get(level, 0), level)


def sample_machine(meter: Meter, figures: Iterable[Figure]) -> None:
    """The machine's shares in use, and how late the event loop was."""
    for figure in figures:
        name, _, unit = figure.name.rpartition("_")
        if unit == "percent":
            meter.set(catalogue.MACHINE_USED_RATIO, figure.value / 100, name)
        elif figure.name == "loop_lag_ms":
            meter.set(catalogue.EVENT_LOOP_LAG_SECONDS, figure.value / 1000)
