"""What Ray and Serve write, below the service's data directory, reached by short paths."""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from orchestration.errors import ClusterError, DataDirectoryInUse

KEPT_SESSIONS = 3
"""Runs whose Ray logs are kept, this one left out; older ones are removed at a start."""
# AF_UNIX paths end at 107 bytes, and HAProxy's admin socket needs 80 below its own folder.
_LONGEST_SHORTCUT = 24


@dataclass(frozen=True)
class RunFolders:
    """`run/` below the data directory, held by a lock, and a symbolic link that shortens it."""

    root: Path
    shortcut: Path
    token_file: Path
    log_file: Path
    lock: TextIO

    @property
    def ray(self) -> Path:
        return self.shortcut / "ray"

    @property
    def haproxy(self) -> Path:
        return self.shortcut / "h"

    @property
    def scratch(self) -> Path:
        return self.shortcut / "tmp"

    @property
    def haproxy_launcher(self) -> Path:
        return self.shortcut / "haproxy-launcher"

    def begin_run(self, run_id: str) -> str | None:
        """Note the run that holds these folders now; returns the one that held them before."""
        before = _read_note(self.root)
        _note(self.root).write_text(run_id)
        return before

    def release(self) -> None:
        """Drop the link and the lock; what was written stays."""
        with contextlib.suppress(FileNotFoundError):
            self.shortcut.unlink()
        self.lock.close()


@contextlib.contextmanager
def writing_to(data_dir: Path) -> Iterator[None]:
    """Raises `ClusterError` where the block cannot write to `data_dir`."""
    try:
        yield
    except OSError as error:
        raise ClusterError(
            f"The data directory {data_dir} cannot be written: {error.strerror or error}. Make it "
            "writable, make room, or choose another by ORCHESTRATION_DATA_DIR.",
            {"data_dir": str(data_dir)},
        ) from error


def open_folders(data_dir: Path, run: str = "run") -> RunFolders:
    """Create or reuse the folders of `data_dir`, and drop what earlier runs left there.

    `run` names the folder below it that holds what belongs to this machine's run.

    Raises `DataDirectoryInUse` when another service holds `data_dir`, and `ClusterError` when it
    cannot be written, or no folder for temporary files has a short enough path.
    """
    with writing_to(data_dir):
        return _opened(data_dir, run)


def _opened(data_dir: Path, run: str) -> RunFolders:
    root = data_dir.resolve() / run
    logs = data_dir.resolve() / "logs"
    for folder in (root, logs):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(_lock(root / "lock"))
        for name in ("h", "tmp"):
            shutil.rmtree(root / name, ignore_errors=True)
        for name in ("ray", "h", "tmp"):
            (root / name).mkdir(mode=0o700, exist_ok=True)
        _drop_old_sessions(root / "ray")
        token_file = _token_file(data_dir.resolve() / "ray_token")
        shortcut = _shortcut_to(root)
        undo.pop_all()
    return RunFolders(root, shortcut, token_file, logs / "cluster.log", lock)


def last_run(data_dir: Path, run: str = "run") -> str | None:
    """The run that holds the folders of `data_dir`, or held them last."""
    return _read_note(data_dir.resolve() / run)


def _note(root: Path) -> Path:
    return root / "run_id"


def _read_note(root: Path) -> str | None:
    try:
        return _note(root).read_text()
    except OSError:
        return None


def _lock(path: Path) -> TextIO:
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise DataDirectoryInUse(
            f"Another service runs in {path.parent.parent}: stop it, or choose another directory.",
            {"data_dir": str(path.parent.parent)},
        ) from error
    return lock


def _drop_old_sessions(ray_folder: Path) -> None:
    # The names carry the start time, so that their order is the order of the runs.
    sessions = sorted(
        entry for entry in ray_folder.glob("session_*") if entry.is_dir() and not entry.is_symlink()
    )
    for session in sessions[:-KEPT_SESSIONS]:
        shutil.rmtree(session, ignore_errors=True)


def _token_file(path: Path) -> Path:
    # Another node that shares the data directory may make it at the same time.
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as token:
                token.write(secrets.token_hex(32))
        except OSError:
            # The next start would take an empty file for a token.
            path.unlink(missing_ok=True)
            raise
    path.chmod(0o600)
    return path


def _drop_shortcuts_of_killed_runs(folder: Path, root: Path) -> None:
    # Whoever holds the lock of `root` is its only user.
    for entry in folder.glob("orch-*"):
        with contextlib.suppress(OSError):
            if entry.is_symlink() and entry.readlink() == root:
                entry.unlink()


def _shortcut_to(root: Path) -> Path:
    """A link to `root` under a name of this run: what ends a run that was killed also removes its
    link, and may come after the next run has begun."""
    name = "orch-" + secrets.token_hex(5)
    for folder in (Path(tempfile.gettempdir()), Path("/tmp")):
        shortcut = folder / name
        if len(str(shortcut)) > _LONGEST_SHORTCUT or not os.access(folder, os.W_OK):
            continue
        _drop_shortcuts_of_killed_runs(folder, root)
        # A foreign entry of this name would be somebody's trap in a folder that all may write.
        with contextlib.suppress(FileExistsError):
            shortcut.symlink_to(root)
            return shortcut
    raise ClusterError(
        f"Sockets need a path of at most {_LONGEST_SHORTCUT} bytes: set TMPDIR to a short one, "
        "such as /tmp."
    )
