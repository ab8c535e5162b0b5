"""PostgreSQL on a disk that is full: nothing is acknowledged, nothing stored is lost."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.errors import DatabaseUnavailable
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_binaries import unprivileged_account
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import JournalFrame, SessionSpec
from tests.database import execute, temporary_server
from tests.storage_values import stream_spec

FRAME_SAMPLES = 3000


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte that PostgreSQL's account owns."""
    mount = Path("/mnt") / f"tiny-{os.getpid()}"
    account = unprivileged_account()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    if os.geteuid() or account is None:
        pytest.skip("a small disk can be mounted by root only")
    mount.mkdir()
    try:
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        os.chown(mount, *account)
        yield mount
        subprocess.run(["umount", "--lazy", str(mount)], check=True)
    finally:
        mount.rmdir()


def noise_frame(seq: int) -> JournalFrame:
    payload = os.urandom(2 * FRAME_SAMPLES)
    return JournalFrame(0, seq, seq * FRAME_SAMPLES, FRAME_SAMPLES, bytes(16), payload)


async def test_a_full_disk_stops_acks_with_its_reason_and_what_was_stored_stays(
    tiny_disk: Path,
) -> None:
    with temporary_server() as dsn:
        await migrate(dsn, connect_timeout_s=10)
        await execute(dsn, f"CREATE TABLESPACE tiny LOCATION '{tiny_disk}'")
        await execute(dsn, "ALTER TABLE bot_sessions.audio_journal SET TABLESPACE tiny")
        pool = await connect_pool(dsn, min_size=1, max_size=1, connect_timeout_s=10)
        await PostgresArchive(pool).create_session(SessionSpec("s"))
        journal = PostgresJournal(pool)
        await journal.claim("s", "actor")
        await journal.open_streams("s", 1, [stream_spec(0)])
        acked: list[JournalFrame] = []
        with pytest.raises(DatabaseUnavailable, match="No space left on device"):
            await append_without_end(journal, acked)
        assert acked
        assert [frame async for frame in journal.frames_after("s", 0, -1)] == acked
        await execute(dsn, "ALTER TABLE bot_sessions.audio_journal SET TABLESPACE pg_default")
        await journal.append("s", 1, [noise_frame(len(acked))], [])
        await pool.close()


async def append_without_end(journal: PostgresJournal, acked: list[JournalFrame]) -> None:
    for seq in itertools.count():
        frame = noise_frame(seq)
        await journal.append("s", 1, [frame], [])
        acked.append(frame)
