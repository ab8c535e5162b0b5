"""What WebSocket and Socket.IO clients cost a server, idle and as viewers of one session.

    python -m tests.benchmarks.bench_fan_out [IDLE_CLIENTS]

Servers and clients have processes of their own, on one machine. The service is its API over
doubles: the same process as an ingress replica, without Ray and the database. Next to it, in the
same run and by the same clients, stands python-socketio's own server, whose viewers are in a room.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from tests.benchmarks.figures import machine_line, row

IDLE_CLIENTS = 5000
IDLE_S = 10.0
VIEWERS = 1000
LINES_A_SECOND = 5.0
TELLING_S = 6.0
ROUNDS = 3
"""Of each server in turn; the middle one counts."""
BARE_BYTES = 1024


@dataclass
class Process:
    """A process that is told and says lines."""

    process: "subprocess.Popen[str]"

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> list[str]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the benchmark died")
        return line.split()

    def pss_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_full_info().pss)

    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@contextlib.contextmanager
def running(module: str, *arguments: object) -> Iterator[Process]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Process(process)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def server(kind: str) -> Iterator[tuple[Process, int]]:
    with tempfile.TemporaryDirectory() as folder, running("fan_out_server", kind, folder) as one:
        yield one, int(one.hear()[0])


def idle(name: str, kind: str, client_kind: str, count: int) -> float:
    """Prints what idle clients cost; returns the KB of one."""
    with server(kind) as (served, port):
        with running("fan_out_clients", port, client_kind, 20) as few:
            few.hear()  # What the first ones load is no cost of theirs.
        before = served.pss_bytes()
        with running("fan_out_clients", port, client_kind, count) as clients:
            clients.hear()
            kb = (served.pss_bytes() - before) / BARE_BYTES / count
            cpu_s = served.cpu_s()
            time.sleep(IDLE_S)
            share = 100 * (served.cpu_s() - cpu_s) / IDLE_S
    row(f"{count} idle, {name}", f"{kb:.1f} KB each, {share:.1f} % of a core")
    return kb


@dataclass(frozen=True)
class FanOut:
    """One round of telling."""

    a_cpu_second: float
    p50_ms: float
    p99_ms: float
    missing: int


def fan_out(kind: str, client_kind: str) -> FanOut:
    with (
        server(kind) as (served, port),
        running("fan_out_clients", port, client_kind, VIEWERS) as clients,
    ):
        clients.hear()
        served.say(f"{LINES_A_SECOND} {TELLING_S}")
        count, cpu_s = served.hear()
        clients.say("report")
        came, p50, p99 = clients.hear()
        missing = int(count) * VIEWERS - int(came)
        return FanOut(int(came) / float(cpu_s), float(p50), float(p99), missing)


KINDS = {
    "service, native": ("service", "live"),
    "service, Socket.IO": ("service", "viewers"),
    "python-socketio, a room": ("socketio", "viewers"),
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else IDLE_CLIENTS
    print(machine_line())
    kb = idle("service, native", "service", "live", count)
    kb_socket_io = idle("service, Socket.IO", "service", "socketio", count)
    kb_plain = idle("python-socketio", "socketio", "socketio", count)
    row("memory against python-socketio", f"{kb / kb_plain:.2f}, {kb_socket_io / kb_plain:.2f}")
    rounds: dict[str, list[FanOut]] = {name: [] for name in KINDS}
    for _ in range(ROUNDS):
        for name, (kind, client_kind) in KINDS.items():
            rounds[name].append(fan_out(kind, client_kind))
    middle = {
        name: sorted(of_one, key=lambda one: one.a_cpu_second)[ROUNDS // 2]
        for name, of_one in rounds.items()
    }
    plain = middle["python-socketio, a room"]
    for name, one in middle.items():
        figures = f"{one.a_cpu_second:,.0f}/CPU s, p50 {one.p50_ms:.0f} ms, p99 {one.p99_ms:.0f} ms"
        row(f"{VIEWERS} viewers, {name}", figures)
        if one is not plain:
            ratios = f"{one.a_cpu_second / plain.a_cpu_second:.2f}, {one.p99_ms / plain.p99_ms:.2f}"
            row("  deliveries and p99 against python-socketio", ratios)
        missing = sum(of.missing for of in rounds[name])
        if missing:
            row("  not delivered", str(missing))
    print(machine_line())


if __name__ == "__main__":
    main()
