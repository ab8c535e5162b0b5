"""A service that is killed on purpose: its processes by name, its memory, its database."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.service import RunningService, free_port, own_database, service

START_TRIES = 20
START_PAUSE_S = 1.0
"""Between the tries: what a supervisor of the service would do after a crash."""

CPU_LOOK_S = 0.3
"""Over which the busiest process is found."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of process: what its command line begins with."""

    name: str
    command: str


SESSION_ACTOR = Kind("SessionActor", "ray::SessionActor")
COORDINATOR = Kind("Coordinator", "ray::Coordinator")
HEALTH_MONITOR = Kind("HealthMonitor", "ray::HealthMonitor")
DISPATCHER = Kind("Dispatcher", "ray::Dispatcher")
INGRESS = Kind("Ingress replica", "ray::ServeReplica:orchestration:Ingress")
TRANSCRIPTION = Kind("Transcription replica", "ray::ServeReplica:orchestration:Transcription")
HAPROXY = Kind("HAProxy", "haproxy")


class ServiceUnderTest:
    """`orchestration up` on one port and one data directory, through any number of deaths."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self.data_dir = data_dir
        self._variables = {"PORT": str(free_port()), **variables}
        self._life: contextlib.AbstractContextManager[RunningService] | None = None
        self._running: RunningService | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._variables['PORT']}"

    @property
    def dsn(self) -> str:
        """The service's own database."""
        return own_database(self.data_dir)

    def start(self) -> None:
        """Start it, again and again as a supervisor would; blocks until it serves."""
        for tries_left in reversed(range(START_TRIES)):
            life = service(self.data_dir, **self._variables)
            try:
                self._running = life.__enter__()
            except AssertionError:
                if not tries_left:
                    raise
                time.sleep(START_PAUSE_S)
            else:
                self._life = life
                return

    def stop(self) -> None:
        """Stop it as a user would, and wait until it is gone."""
        if self._life is not None:
            self._life.__exit__(None, None, None)
        self._life = self._running = None

    def kill(self) -> None:
        """SIGKILL to `orchestration up` alone; what it started is its own to see to."""
        assert self._running is not None
        self._running.process.kill()
        self._running.process.wait()
        self.stop()

    def processes(self, kind: Kind | None = None) -> list[psutil.Process]:
        """This service's processes of a kind, or all of them but the database's."""
        return [
            process
            for process in psutil.process_iter()
            if self._is_ours(process) and (kind is None or _command(process) == kind.command)
        ]

    def busiest(self, kind: Kind) -> psutil.Process | None:
        """The process of a kind that works the most just now: not the one that waits, warm."""
        found = self.processes(kind)
        if len(found) < 2:
            return found[0] if found else None
        before = [cpu_s(process) for process in found]
        time.sleep(CPU_LOOK_S)
        spent = [cpu_s(process) - was for process, was in zip(found, before, strict=True)]
        return found[spent.index(max(spent))]

    def postmaster(self) -> psutil.Process | None:
        """The embedded PostgreSQL's first process."""
        try:
            lines = (self.data_dir / "postgres" / "cluster" / "postmaster.pid").read_text()
            process = psutil.Process(int(lines.split()[0]))
            return process if "postgres" in " ".join(process.cmdline()) else None
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            return None

    def database_processes(self) -> list[psutil.Process]:
        """The embedded PostgreSQL's processes, the postmaster first."""
        postmaster = self.postmaster()
        return [postmaster, *postmaster.children(recursive=True)] if postmaster else []

    def memory_bytes(self) -> int:
        """Proportional set size of all its processes."""
        total = 0
        for process in (*self.processes(), *self.database_processes()):
            with contextlib.suppress(psutil.Error, OSError):
                total += process.memory_full_info().pss
        return total

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("ORCHESTRATION_DATA_DIR") == str(self.data_dir)
        except (psutil.Error, OSError):
            return False


def _command(process: psutil.Process) -> str:
    """The program or, of Ray's workers, their title without the method under way."""
    try:
        program = process.cmdline()[0].split(" ")[0]
        return program.partition(".")[0] if program.startswith("ray::") else program
    except (psutil.Error, IndexError):
        return ""


def cpu_s(process: psutil.Process) -> float:
    """What it has used of a core; of one that has ended, nothing."""
    try:
        return sum(process.cpu_times()[:2])
    except psutil.Error:
        return 0.0
