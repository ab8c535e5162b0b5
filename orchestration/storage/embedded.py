"""A PostgreSQL of our own: a real server, its data below the service's data directory.

It listens on a UNIX socket inside its data folder and nowhere else; only the service's user (and
root) can pass the folder above it. It ends with the process that started it, however that ends.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from orchestration.errors import DatabaseUnavailable, DataDirectoryInUse
from orchestration.storage.bounded_log import BoundedLog
from orchestration.storage.child_process import child_command
from orchestration.storage.postgres_binaries import (
    can_run,
    copy_programs,
    installed_programs,
    unprivileged_account,
)
from orchestration.storage.postgres_server import (
    DATA_FOLDER,
    POLL_INTERVAL_S,
    PostgresServer,
    server_environment,
)

INITDB_TIMEOUT_S = 120
"""Making the data folder takes a second or two; after this it counts as failed, and the next start
begins it anew."""
LOCK_TIMEOUT_S = 10
"""How long the server of a killed service may take to end before we call the folder in use."""
MAX_SOCKET_PATH_BYTES = 107
"""Of a UNIX socket's path; where the folder's own is too long, a link to it stands in."""
RUNTIME_PREFIX = "orchestration-postgres-"

SUPERUSER = "orchestration"
SOCKET_NAME = ".s.PGSQL.5432"

INITDB_OPTIONS = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=reject",
)


class EmbeddedPostgres:
    """One server over `data_dir/postgres`. Blocking: call it outside an event loop, or in a
    thread of its own; not safe to call from two threads at once."""

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir.resolve() / "postgres"
        self._cluster = self._home / "cluster"
        self._runtime_record = self._home / "runtime_dir"
        self._log = BoundedLog(self._home / "postgres.log")
        self._server: PostgresServer | None = None
        self._runtime: Path | None = None

    @property
    def is_initialized(self) -> bool:
        """Whether there is data already; without, `start` takes a second or two longer."""
        return self._cluster.is_dir()

    @property
    def is_running(self) -> bool:
        return self._server is not None and self._server.is_running

    def start(self) -> str:
        """Start the server, on what data it finds; returns its DSN when it takes connections.

        Raises:
            DataDirectoryInUse: another service runs a server on this data.
            DatabaseUnavailable: the server did not start; the message ends with its last words.
        """
        try:
            return self._started()
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """Start the server again where it was: its DSN stays, also when this fails and is tried
        again.

        Raises:
            DatabaseUnavailable, DataDirectoryInUse: as for `start`.
        """
        self._stop_server()
        try:
            self._started()
        except BaseException:
            self._stop_server()
            raise

    def stop(self) -> None:
        """Stop the server and wait until it is gone; without one, do nothing."""
        self._stop_server()
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime_record.unlink(missing_ok=True)
            self._runtime = None

    def _stop_server(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _started(self) -> str:
        try:
            return self._start()
        except OSError as error:
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL cannot use {self._home}: {error.strerror or error}. "
                "Make the folder writable, choose another data directory, or set DATABASE_URL."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise DatabaseUnavailable(
                "The embedded PostgreSQL did not make its data folder within "
                f"{INITDB_TIMEOUT_S} s: the disk or the machine is too busy. Start again, or set "
                "DATABASE_URL."
            ) from error

    def _start(self) -> str:
        account = unprivileged_account()
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home.chmod(0o700)
        lock_fd = self._lock()
        try:
            self._remove_runtime_of_killed_service()
            programs = self._reachable_programs(account)
            if not self.is_initialized:
                self._initialize(programs, account)
            self._take_ownership(account)
            self._remove_locks_of_killed_server()
            self._server = PostgresServer(
                programs, self._cluster, account=account, holds=lock_fd, log=self._log
            )
        finally:
            # From here on the server and its workers hold the lock, and nobody else: it is free
            # exactly when the last of them is gone.
            os.close(lock_fd)
        self._server.await_ready()
        return self._dsn()

    def _lock(self) -> int:
        lock_fd = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline_s = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline_s:
                    time.sleep(POLL_INTERVAL_S)
                    continue
                os.close(lock_fd)
                raise DataDirectoryInUse(
                    f"Another service runs a database on {self._home}: stop it, or choose "
                    "another data directory.",
                    {"path": str(self._home)},
                ) from None
            return lock_fd

    def _reachable_programs(self, account: tuple[int, int] | None) -> Path:
        programs = installed_programs()
        if can_run(programs, account):
            return programs
        runtime = self._runtime_dir()
        runtime.chmod(0o711)
        shutil.rmtree(runtime / "programs", ignore_errors=True)
        copied = copy_programs(programs, runtime / "programs")
        if not can_run(copied, account):
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL runs neither from {programs} nor from {runtime}: "
                "allow execution in one of them, or set DATABASE_URL."
            )
        return copied

    def _initialize(self, programs: Path, account: tuple[int, int] | None) -> None:
        """Make the cluster under another name and rename it, so that it is whole or not there."""
        fresh = self._home / "cluster.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        if account is not None:
            os.chown(fresh, *account)
        initdb = str(programs / "bin" / "initdb")
        result = subprocess.run(
            child_command(
                [initdb, f"--pgdata={DATA_FOLDER}", *INITDB_OPTIONS],
                signal_at_parent_death=signal.SIGTERM,
                account=account,
            ),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=fresh,
            env=server_environment(),
            timeout=INITDB_TIMEOUT_S,
        )
        if result.returncode != 0:
            raise DatabaseUnavailable(
                "The embedded PostgreSQL could not make its data folder: "
                + result.stdout.decode(errors="replace")[-2000:]
            )
        fresh.rename(self._cluster)

    def _take_ownership(self, account: tuple[int, int] | None) -> None:
        """Let the account own the cluster, which another user's run may have made."""
        owner = self._cluster.stat().st_uid
        if account is not None and owner != account[0]:
            os.chown(self._cluster, *account)
            for folder, folders, names in os.walk(self._cluster):
                for name in (*folders, *names):
                    os.chown(Path(folder, name), *account, follow_symlinks=False)

    def _remove_locks_of_killed_server(self) -> None:
        # We hold the lock, so no server lives: whatever these name is gone, even where another
        # process has got the pid that they mention, at which PostgreSQL would refuse to start.
        for name in ("postmaster.pid", SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (self._cluster / name).unlink(missing_ok=True)

    def _dsn(self) -> str:
        folder = self._cluster
        if len(os.fsencode(folder / SOCKET_NAME)) > MAX_SOCKET_PATH_BYTES:
            folder = self._runtime_dir() / "s"
            if not folder.is_symlink():
                folder.symlink_to(self._cluster)
        host = quote(str(folder), safe="/")
        return f"postgresql://{SUPERUSER}@/postgres?host={host}&port=5432"

    def _runtime_dir(self) -> Path:
        """A private folder with a short path, for what cannot lie below the data directory."""
        if self._runtime is None:
            self._runtime = Path(tempfile.mkdtemp(prefix=RUNTIME_PREFIX))
            self._runtime_record.write_text(str(self._runtime))
        self._runtime.mkdir(mode=0o700, exist_ok=True)
        return self._runtime

    def _remove_runtime_of_killed_service(self) -> None:
        if self._runtime is not None:
            return  # It is our own.
        try:
            left = Path(self._runtime_record.read_text())
            if left.name.startswith(RUNTIME_PREFIX) and left.lstat().st_uid == os.geteuid():
                shutil.rmtree(left)
        except FileNotFoundError:
            pass
        self._runtime_record.unlink(missing_ok=True)
