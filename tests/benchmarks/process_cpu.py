"""CPU time of a running service, part by part."""

import contextlib
from collections.abc import Mapping

import psutil

from tests.chaos.service_under_test import HAPROXY, INGRESS, SESSION_ACTOR, ServiceUnderTest

PATH = ("ingress", "HAProxy", "session actors", "PostgreSQL")
"""What a frame goes through, from the socket to its commit and its ack."""
THE_REST = "Ray and the rest"


CpuSnapshot = Mapping[str, Mapping[int, float]]
"""Seconds of CPU by part and process."""


def cpu_snapshot(service: ServiceUnderTest) -> CpuSnapshot:
    """What every process of the service has used so far."""
    parts = {
        "ingress": service.processes(INGRESS),
        "HAProxy": service.processes(HAPROXY),
        "session actors": service.processes(SESSION_ACTOR),
        "PostgreSQL": service.database_processes(),
        THE_REST: service.processes(),
    }
    seconds: dict[str, dict[int, float]] = {}
    known: set[int] = set()
    for part, processes in parts.items():
        seconds[part] = {}
        for process in processes:
            if process.pid not in known:
                with contextlib.suppress(psutil.Error):
                    seconds[part][process.pid] = process_cpu_s(process)
                    known.add(process.pid)
    return seconds


def process_cpu_s(process: psutil.Process) -> float:
    """Seconds of CPU of one process alone."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_between(before: CpuSnapshot, after: CpuSnapshot) -> dict[str, float]:
    """Seconds of CPU by part."""
    return {
        part: sum(seconds - before[part].get(pid, 0.0) for pid, seconds in processes.items())
        for part, processes in after.items()
    }
