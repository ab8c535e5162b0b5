"""One PostgreSQL with one database for all contract tests, emptied before each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from tests.database import execute, temporary_server
from tests.timed_meeting import StoredMeeting


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    with temporary_server() as dsn:
        yield dsn


@pytest.fixture(scope="session")
async def migrated_dsn(server_dsn: str) -> str:
    await migrate(server_dsn, connect_timeout_s=10)
    return server_dsn


@pytest.fixture
async def dsn(migrated_dsn: str) -> str:
    """A database without a row in it."""
    await execute(
        migrated_dsn,
        "DELETE FROM bot_sessions.sessions; DELETE FROM bot_sessions.tickets;"
        " DELETE FROM bot_sessions.erasures",
    )
    return migrated_dsn


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await connect_pool(dsn, min_size=1, max_size=4, connect_timeout_s=10)
    yield opened
    await opened.close()


@pytest.fixture
def archive(pool: Pool) -> PostgresArchive:
    return PostgresArchive(pool)


@pytest.fixture
def journal(pool: Pool) -> PostgresJournal:
    return PostgresJournal(pool)


@pytest.fixture
async def stored(pool: Pool) -> StoredMeeting:
    """Session s1 with one stream, and nothing in it yet."""
    meeting = StoredMeeting(pool)
    await meeting.create()
    return meeting
