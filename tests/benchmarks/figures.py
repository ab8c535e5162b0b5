"""How benchmarks write their figures."""

import os
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all stay at or below, by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]


def p50_p95(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """As in `p50 12 ms, p95 30 ms`."""
    p50, p95 = percentile(values, 0.5), percentile(values, 0.95)
    return f"p50 {p50:.{digits}f} {unit}, p95 {p95:.{digits}f} {unit}"


def row(name: str, figure: str, bar: str = "") -> None:
    """One line of a table: what was measured, the figure, and what it should be."""
    print(f"{name:<52} {figure:<34} {f'bar: {bar}' if bar else ''}".rstrip(), flush=True)


def machine_line() -> str:
    """What else the machine does: figures of a busy one say little."""
    return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"
