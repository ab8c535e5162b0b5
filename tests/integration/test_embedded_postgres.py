"""The embedded server as a service finds it: across restarts, crashes, users and folders."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from orchestration.errors import DatabaseUnavailable, DataDirectoryInUse
from orchestration.storage import embedded, postgres_server
from orchestration.storage.embedded import EmbeddedPostgres
from orchestration.storage.postgres_binaries import copy_programs, installed_programs

AS_ROOT = os.geteuid() == 0
NOBODY = 65534
PATIENCE_S = 60

needs_root = pytest.mark.skipif(not AS_ROOT, reason="another user is needed, and we are not root")

# A service that starts the server, says where it is, and lives until it is killed.
SERVICE = """
import sys, time
from pathlib import Path
from orchestration.storage.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
time.sleep(600)
"""

# A process of another user that says whether the socket lets it in.
STRANGER = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
except PermissionError:
    print("refused")
"""


@pytest.fixture(scope="module")
def made_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after a first start, to copy: most tests are not about making it."""
    data_dir = tmp_path_factory.mktemp("made")
    first = EmbeddedPostgres(data_dir)
    first.start()
    first.stop()
    return data_dir


@pytest.fixture
def server(tmp_path: Path, made_before: Path) -> Iterator[EmbeddedPostgres]:
    shutil.copytree(made_before / "postgres", tmp_path / "postgres")
    made = EmbeddedPostgres(tmp_path)
    yield made
    made.stop()


def postmaster(data_dir: Path) -> psutil.Process:
    lock = data_dir / "postgres" / "cluster" / "postmaster.pid"
    return psutil.Process(int(lock.read_text().splitlines()[0]))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it did not come to hold"
        time.sleep(0.02)


def ask(dsn: str, statement: str) -> str:
    psql = str(installed_programs() / "bin" / "psql")
    command = [psql, "--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, dsn]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def store_a_row(dsn: str) -> None:
    ask(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")


def kept_row(dsn: str) -> str:
    return ask(dsn, "SELECT answer FROM kept")


def test_data_survives_a_restart(server: EmbeddedPostgres) -> None:
    store_a_row(server.start())
    server.stop()
    assert kept_row(server.start()) == "42"


def test_commits_are_flushed_before_they_are_answered(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    assert ask(dsn, "SHOW fsync") == "on"
    assert ask(dsn, "SHOW synchronous_commit") == "on"


def test_a_killed_server_starts_again_with_what_was_committed(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    store_a_row(server.start())
    postmaster(tmp_path).kill()
    wait_until(lambda: not server.is_running)
    server.stop()
    assert kept_row(server.start()) == "42"


def test_the_server_ends_with_a_killed_service_and_starts_with_the_next(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE, tmp_path], stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None
        store_a_row(service.stdout.readline().strip())
        left = postmaster(tmp_path)
        processes = [left, *left.children(recursive=True)]
        service.kill()
    wait_until(lambda: not any(one.is_running() for one in processes))
    assert kept_row(server.start()) == "42"


def test_a_stale_lock_that_names_a_living_process_does_not_hinder_a_start(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    store_a_row(server.start())
    lock = tmp_path / "postgres" / "cluster" / "postmaster.pid"
    stale = lock.read_text().splitlines()
    server.stop()
    with subprocess.Popen(["sleep", "600"], user=NOBODY if AS_ROOT else None) as other:
        lock.write_text("\n".join([str(other.pid), *stale[1:]]))
        (lock.parent / ".s.PGSQL.5432").touch()
        assert kept_row(server.start()) == "42"
        other.kill()


def test_a_folder_in_use_is_refused_and_its_server_left_alone(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    monkeypatch.setattr(embedded, "LOCK_TIMEOUT_S", 0)
    with pytest.raises(DataDirectoryInUse, match="choose"):
        EmbeddedPostgres(tmp_path).start()
    assert server.is_running


def test_a_first_start_that_was_interrupted_is_begun_again(
    tmp_path: Path,
) -> None:
    half_made = tmp_path / "postgres" / "cluster.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(tmp_path)
    assert not server.is_initialized
    assert ask(server.start(), "SELECT 1") == "1"
    assert server.is_initialized
    server.stop()


def test_a_failed_start_tells_the_servers_last_words(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    server.start()
    server.stop()
    (tmp_path / "postgres" / "cluster" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(DatabaseUnavailable, match=r"version 9\.6"):
        server.start()
    assert not server.is_running


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable, match="file/data/postgres"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


def test_it_listens_on_no_port(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    root = postmaster(tmp_path)
    for process in (root, *root.children(recursive=True)):
        assert process.net_connections("inet") == []


@needs_root
@pytest.mark.parametrize("uid", [NOBODY, 12345])
def test_other_users_cannot_reach_it(server: EmbeddedPostgres, tmp_path: Path, uid: int) -> None:
    server.start()
    path = tmp_path / "postgres" / "cluster" / ".s.PGSQL.5432"
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    answer = subprocess.run(
        [sys.executable, "-c", STRANGER, path, str(uid)], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "refused\n"


@needs_root
def test_it_runs_below_a_folder_that_only_root_can_pass(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "data")
    try:
        assert ask(server.start(), "SELECT 1") == "1"
        assert postmaster(closed / "data").uids().real == NOBODY
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()


@needs_root
def test_programs_that_only_root_can_pass_to_are_copied_and_removed_again(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    programs = copy_programs(installed_programs(), closed)
    closed.chmod(0o700)
    monkeypatch.setattr(embedded, "installed_programs", lambda: programs)
    assert ask(server.start(), "SELECT 1") == "1"
    runtime = Path((tmp_path / "postgres" / "runtime_dir").read_text())
    server.stop()
    assert not runtime.exists()


def test_a_path_too_long_for_a_socket_is_no_hindrance(tmp_path: Path) -> None:
    data_dir = tmp_path / "/".join(["long name" * 5] * 4)
    server = EmbeddedPostgres(data_dir)
    try:
        store_a_row(server.start())
        runtime = Path((data_dir / "postgres" / "runtime_dir").read_text())
        postmaster(data_dir).kill()
        wait_until(lambda: not server.is_running)

        next_server = EmbeddedPostgres(data_dir)
        assert kept_row(next_server.start()) == "42"
        assert not runtime.exists(), "what a killed service left is still there"
        next_server.stop()
    finally:
        server.stop()


@pytest.mark.parametrize("folder", ["data", "/".join(["long name" * 5] * 4)])
def test_a_server_that_is_started_again_is_where_it_was(
    folder: str, tmp_path: Path, made_before: Path
) -> None:
    data_dir = tmp_path / folder
    shutil.copytree(made_before / "postgres", data_dir / "postgres")
    server = EmbeddedPostgres(data_dir)
    try:
        dsn = server.start()
        store_a_row(dsn)
        postmaster(data_dir).kill()
        wait_until(lambda: not server.is_running)
        hidden = (data_dir / "postgres" / "cluster").rename(data_dir / "elsewhere")
        (data_dir / "postgres" / "cluster").write_text("no folder")
        with pytest.raises(DatabaseUnavailable):
            server.restart()
        (data_dir / "postgres" / "cluster").unlink()
        hidden.rename(data_dir / "postgres" / "cluster")
        server.restart()
        assert kept_row(dsn) == "42"
    finally:
        server.stop()


@needs_root
def test_it_runs_as_an_ordinary_user() -> None:
    interpreter = _python_for_everybody()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(Path(embedded.__file__).parents[1], home / "lib" / "orchestration")
        copy_programs(installed_programs(), home / "lib")
        (home / "data").mkdir()
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        with subprocess.Popen(
            [interpreter, "-B", "-c", SERVICE, home / "data"],
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PYTHONPATH": str(home / "lib")},
            user=NOBODY,
            group=NOBODY,
            extra_groups=(),
        ) as service:
            assert service.stdout is not None
            assert service.stdout.readline().startswith("postgresql://")
            server = postmaster(home / "data")
            assert server.uids().real == NOBODY
            service.kill()
        wait_until(lambda: not server.is_running())


def test_it_outlives_the_thread_that_started_it(server: EmbeddedPostgres) -> None:
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    time.sleep(0.2)  # the kernel's signal at the thread's end, had it been asked for
    assert server.is_running


def test_ctrl_c_in_the_services_terminal_does_not_reach_it(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    server.start()
    assert os.getsid(postmaster(tmp_path).pid) != os.getsid(0)


def test_a_server_that_does_not_stop_when_told_is_stopped_anyway(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    process = postmaster(tmp_path)
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(postgres_server, "FAST_STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr(postgres_server, "IMMEDIATE_STOP_TIMEOUT_S", 0.1)
    server.stop()
    assert not process.is_running()


def _python_for_everybody() -> str:
    """An interpreter that any user can run; ours may lie in root's home."""
    for name in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        probe = [name, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            subprocess.run(probe, check=True, user=NOBODY, group=NOBODY, extra_groups=(), cwd="/")
        except (OSError, subprocess.CalledProcessError):
            continue
        return name
    pytest.skip("no Python 3.11 on this machine that an ordinary user can run")


def test_a_data_folder_that_takes_too_long_to_make_is_told_and_made_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(embedded, "INITDB_TIMEOUT_S", 0.001)
        with pytest.raises(DatabaseUnavailable, match="did not make its data folder within"):
            server.start()
    assert not server.is_initialized
    server.start()
    server.stop()
