"""What storage says while PostgreSQL is away, and after."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from orchestration.errors import DatabaseUnavailable, Fenced
from orchestration.storage import pool as pool_module
from orchestration.storage.embedded import EmbeddedPostgres
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import SessionSpec
from tests.storage_values import event, frame, stream_spec

OPERATIONS: dict[str, Callable[[Pool], Awaitable[object]]] = {
    "claim": lambda pool: PostgresJournal(pool).claim("s", "actor"),
    "append": lambda pool: PostgresJournal(pool).append("s", 1, [frame(0)], []),
    "commit": lambda pool: PostgresJournal(pool).commit("s", 1, SessionChanges(events=[event(1)])),
    "frames": lambda pool: anext(aiter(PostgresJournal(pool).frames_from("s", 0, 0))),
    "create": lambda pool: PostgresArchive(pool).create_session(SessionSpec("t")),
    "list": lambda pool: PostgresArchive(pool).sessions(None, 10, None),
    "snapshot": lambda pool: PostgresArchive(pool).snapshot("s", 10),
    "ping": lambda pool: PostgresArchive(pool).ping(),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(tmp_path)
    yield made
    made.stop()


async def open_session(dsn: str) -> Pool:
    await migrate(dsn, connect_timeout_s=10)
    pool = await connect_pool(dsn, min_size=1, max_size=2, connect_timeout_s=10)
    await PostgresArchive(pool).create_session(SessionSpec("s"))
    journal = PostgresJournal(pool)
    await journal.claim("s", "actor")
    await journal.open_streams("s", 1, [stream_spec(0)])
    return pool


async def answers(pool: Pool) -> bool:
    try:
        await PostgresArchive(pool).ping()
    except DatabaseUnavailable:
        return False
    return True


def processes(data_dir: Path) -> list[psutil.Process]:
    lock = data_dir / "postgres" / "cluster" / "postmaster.pid"
    server = psutil.Process(int(lock.read_text().splitlines()[0]))
    return [server, *server.children(recursive=True)]


async def test_every_operation_says_that_the_database_is_away_and_goes_on_when_it_is_back(
    server: EmbeddedPostgres,
) -> None:
    pool = await open_session(server.start())
    server.stop()
    for operation in OPERATIONS.values():
        with pytest.raises(DatabaseUnavailable):
            await operation(pool)
    server.start()
    await PostgresJournal(pool).append("s", 1, [frame(0)], [])
    for operation in OPERATIONS.values():
        with suppress(Fenced):  # by the claim among them
            await operation(pool)
    await pool.close()


async def test_a_server_that_freezes_holds_nobody_for_ever_and_serves_on_when_it_thaws(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("COMMAND", "OPERATION", "ACQUIRE", "RELEASE"):
        monkeypatch.setattr(pool_module, f"{limit}_TIMEOUT_S", 0.3)
    pool = await open_session(server.start())
    frozen = processes(tmp_path)
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):
            for operation in OPERATIONS.values():
                with pytest.raises(DatabaseUnavailable):
                    await operation(pool)
    finally:
        for process in frozen:
            os.kill(process.pid, signal.SIGCONT)
    async with asyncio.timeout(60):
        while not await answers(pool):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.05)
        await pool.close()


async def test_whoever_is_told_to_end_ends_by_that_though_the_server_is_frozen(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await open_session(server.start())
    monkeypatch.setattr(pool_module, "RELEASE_TIMEOUT_S", 0.1)
    frozen = processes(tmp_path)
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    try:
        asked = asyncio.create_task(PostgresArchive(pool).ping())
        while pool.get_idle_size() == pool.get_size():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
    finally:
        for process in frozen:
            os.kill(process.pid, signal.SIGCONT)
    assert asked.cancelled()
    pool.terminate()


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://nobody@127.0.0.1:1/none",
        "postgresql://nobody@/none?host=/nowhere",
        "this is no DSN",
    ],
)
async def test_a_database_that_cannot_be_reached_is_said_in_one_sentence_without_its_password(
    dsn: str,
) -> None:
    with pytest.raises(DatabaseUnavailable, match="check that it runs") as caught:
        await connect_pool(dsn, min_size=0, max_size=1, connect_timeout_s=2)
    assert "\n" not in caught.value.message
    assert "127.0.0.1" not in caught.value.message
    with pytest.raises(DatabaseUnavailable, match="check that it runs"):
        await migrate(dsn, connect_timeout_s=2)
