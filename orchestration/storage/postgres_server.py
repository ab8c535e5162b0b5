"""One PostgreSQL server process, from its start to its end, over a data folder that is ready."""

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from orchestration.errors import DatabaseUnavailable
from orchestration.storage.bounded_log import BoundedLog
from orchestration.storage.child_process import child_command

START_TIMEOUT_S = 120
"""A start may replay the log of a crash; after this it counts as failed."""
FAST_STOP_TIMEOUT_S = 15
"""A stop that lets transactions roll back; after this the server is told to end at once."""
IMMEDIATE_STOP_TIMEOUT_S = 5
"""A stop that leaves a crash's log to the next start; after this the server is killed."""
POLL_INTERVAL_S = 0.01
"""Between looks at what has no event to wait for: a lock, a file of the server's."""

# The server never sees its data folder's real path: an unprivileged account may be unable to pass
# the folders above it (a root-owned home is 0700), and those are not ours to open. It inherits
# the folder as its working directory instead, and that name leads there whatever lies above.
DATA_FOLDER = "/proc/self/cwd"

SERVER_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_directories": DATA_FOLDER,
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "500",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "wal_compression": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}


class PostgresServer:
    """A server that is started when this is made. All of it blocks, as `EmbeddedPostgres` does."""

    def __init__(
        self,
        programs: Path,
        data_folder: Path,
        *,
        account: tuple[int, int] | None,
        holds: int,
        log: BoundedLog,
    ) -> None:
        """`account` is the (uid, gid) to run as, None for ours. The server and its workers hold
        the file descriptor `holds` open for as long as any of them lives.

        Raises:
            OSError: the program cannot be run.
        """
        self._data_folder = data_folder
        self._log = log
        settings = [f"--{name}={value}" for name, value in SERVER_SETTINGS.items()]
        command = child_command(
            [str(programs / "bin" / "postgres"), "-D", DATA_FOLDER, *settings],
            signal_at_parent_death=signal.SIGINT,
            account=account,
        )
        spawned: Future[subprocess.Popen[bytes]] = Future()
        # The thread that spawns the server must outlive it (see child_command), so it keeps it.
        threading.Thread(
            target=self._keep,
            args=(command, holds, spawned),
            name="embedded-postgres",
            daemon=True,
        ).start()
        self._process = spawned.result()

    @property
    def is_running(self) -> bool:
        """Whether the server has not ended, by itself or otherwise."""
        return self._process.poll() is None

    def await_ready(self) -> None:
        """Wait until the server takes connections.

        Raises:
            DatabaseUnavailable: it ended, or was not ready in time; the message ends with its last
                words.
        """
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self._says_ready():
            if not self.is_running:
                self._log.wait_closed(IMMEDIATE_STOP_TIMEOUT_S)
                raise DatabaseUnavailable(
                    "The embedded PostgreSQL ended while it started: "
                    + "; ".join(self._log.last_lines()),
                    {"log": str(self._log.path)},
                )
            if time.monotonic() > deadline_s:
                raise DatabaseUnavailable(
                    f"The embedded PostgreSQL was not ready after {START_TIMEOUT_S} s: see "
                    f"{self._log.path}.",
                    {"log": str(self._log.path)},
                )
            time.sleep(POLL_INTERVAL_S)

    def stop(self) -> None:
        """Stop the server and wait until it is gone: gently, then at once, then by force."""
        for stop_signal, timeout_s in (
            (signal.SIGINT, FAST_STOP_TIMEOUT_S),
            (signal.SIGQUIT, IMMEDIATE_STOP_TIMEOUT_S),
        ):
            self._process.send_signal(stop_signal)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                continue
            return
        self._process.kill()
        self._process.wait()

    def _keep(
        self, command: list[str], holds: int, spawned: "Future[subprocess.Popen[bytes]]"
    ) -> None:
        """Spawn the server and write its log until it is gone."""
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self._data_folder,
                env=server_environment(),
                pass_fds=(holds,),
                # Ctrl-C goes to the whole foreground group; when to stop is the service's to say.
                start_new_session=True,
            )
        except BaseException as error:
            spawned.set_exception(error)
            return
        spawned.set_result(process)
        assert process.stdout is not None
        with process.stdout as lines, self._log as log:
            for line in lines:
                log.write(line.decode(errors="replace").rstrip("\n"))
        process.wait()

    def _says_ready(self) -> bool:
        try:
            lines = (self._data_folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"


def server_environment() -> dict[str, str]:
    """Nothing of ours: PGDATA, PGPORT and their like would change what the server does."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
