"""The machine's figures, read with psutil."""

from pathlib import Path

import psutil

from orchestration.health.alerts import Figure

MACHINE = "machine"


def system_figures(data_dir: Path) -> tuple[Figure, ...]:
    """Percentages of memory, CPU (since the last call) and the disk that holds `data_dir`.

    A node of a cluster may have no such folder; then nothing is said of its disk.
    """
    figures = [
        Figure("memory_percent", MACHINE, round(psutil.virtual_memory().percent)),
        Figure("cpu_percent", MACHINE, round(psutil.cpu_percent())),
    ]
    if data_dir.exists():
        disk = psutil.disk_usage(str(data_dir))
        figures.append(Figure("disk_percent", MACHINE, round(disk.percent)))
    return tuple(figures)
