"""The real service as its users run it: `orchestration up` in a process of its own."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from actors.cluster_ports import LOOPBACK, is_free
from orchestration.storage.child_process import child_command
from orchestration.storage.embedded import SOCKET_NAME, SUPERUSER

START_LIMIT_S = 180
STOP_LIMIT_S = 60
ORCHESTRATION = [sys.executable, "-m", "orchestration"]


PORTS = range(10_000, 20_000)
"""Below the windows of services and the kernel's ephemeral ports: nobody who connects meanwhile is
given one of these."""


def free_port() -> int:
    """A port that nobody listens on, for a server that starts in a while."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if is_free(LOOPBACK, port))


def files_below(folder: Path) -> Iterator[Path]:
    """All files, of folders too that come and go meanwhile."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """This process's environment without settings of its own, with those given."""
    settings = ("ORCHESTRATION", "WHISPER", "TRANSLATION", "AUDIO_SERVICE", "DATABASE", "RAY_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(settings) and name not in ("HOST", "PORT", "PYTHONWARNINGS")
    }
    return {
        **kept,
        "ORCHESTRATION_DATA_DIR": str(data_dir),
        "WHISPER_MODEL": "tiny.en",
        **variables,
    }


@dataclass
class RunningService:
    """A started service; `url` is its API, and `variables` are its environment's own."""

    process: "subprocess.Popen[str]"
    url: str
    data_dir: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str, timeout_s: float = 300) -> "subprocess.CompletedProcess[str]":
        """A client command against this service."""
        return subprocess.run(
            [*ORCHESTRATION, *arguments, "--url", self.url],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=environment(self.data_dir),
            check=False,
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal the service and wait until it is gone; its exit code."""
        self.process.send_signal(how)
        exit_code = self.process.wait(STOP_LIMIT_S)
        _close(self.process)
        return exit_code

    def start_again(self) -> None:
        """Start what was stopped as it was: on the same data and port."""
        self.process, log = _launched(self.data_dir, self.variables)
        assert _await_url(self.process, log) == self.url


@contextlib.contextmanager
def service(data_dir: Path, **variables: str) -> Iterator[RunningService]:
    """Start the service and stop it afterwards. Fails with its output when it does not start."""
    variables.setdefault("PORT", str(free_port()))
    process, log = _launched(data_dir, variables)
    running = None
    try:
        running = RunningService(process, _await_url(process, log), data_dir, variables)
        yield running
    finally:
        _end(process if running is None else running.process)


def _launched(data_dir: Path, variables: Mapping[str, str]) -> "tuple[subprocess.Popen[str], Path]":
    """A process of the service, and the file with what it says on standard error."""
    log = data_dir.parent / f"{data_dir.name}-{variables['PORT']}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            # A run of tests that is killed leaves no service behind.
            child_command(
                [*ORCHESTRATION, "up"], signal_at_parent_death=signal.SIGTERM, account=None
            ),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(data_dir, **variables),
            start_new_session=True,
        )
    return process, log


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    _close(process)


def _close(process: "subprocess.Popen[str]") -> None:
    if process.stdout is not None:
        process.stdout.close()


def _await_url(process: "subprocess.Popen[str]", log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = re.match(r"API\s+(http\S+)", line)
        if found:
            return found[1]
    process.wait(START_LIMIT_S)
    raise AssertionError(f"the service did not start:\n{log.read_text()}")


def own_database(data_dir: Path) -> str:
    """The DSN of the PostgreSQL that a service started below its data directory."""
    home = data_dir.resolve() / "postgres"
    folder = home / "cluster"
    with contextlib.suppress(FileNotFoundError):
        # Where the data directory's path is too long for a socket.
        folder = Path((home / "runtime_dir").read_text()) / "s"
    if not (folder / SOCKET_NAME).exists():
        folder = home / "cluster"
    return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(folder), safe='/')}&port=5432"


def processes_mentioning(text: str) -> list[str]:
    """Command lines and environments of running processes that mention a text."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                marks = command + (folder / "environ").read_bytes()
                if text.encode() in marks and command:
                    found.append(command.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


def wait_until_gone(data_dir: Path) -> None:
    """Until no process mentions a service's data directory any more."""
    while processes_mentioning(str(data_dir)):
        time.sleep(0.2)
