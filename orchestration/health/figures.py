"""What the health of the parts gives alert rules to judge."""

from collections.abc import Iterable, Mapping

from orchestration.health.alerts import Figure
from orchestration.health.report import ServiceHealth


def settings_figures(refused: Mapping[str, bool]) -> tuple[Figure, ...]:
    """Which sources of settings will not do."""
    return tuple(
        Figure("settings_refused", source, int(is_refused))
        for source, is_refused in refused.items()
    )


def part_figures(services: Iterable[ServiceHealth]) -> tuple[Figure, ...]:
    """Failures and response times of each part; one that fails has no response time."""
    figures = []
    for one in services:
        figures.append(Figure("failed_probes", one.name, one.consecutive_failures))
        figures.append(Figure("unhealthy", one.name, int(one.status == "unhealthy")))
        if not one.consecutive_failures and one.latency_ms is not None:
            figures.append(Figure("latency_ms", one.name, one.latency_ms))
    return tuple(figures)
