"""One PostgreSQL for all contract tests, and a fresh database for each of them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from tests.database import temporary_database, temporary_server


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    with temporary_server() as dsn:
        yield dsn


@pytest.fixture(scope="session")
async def template(server_dsn: str) -> AsyncIterator[str]:
    """A migrated database, from which copying is faster than migrating again."""
    async with temporary_database(server_dsn, "migrated") as dsn:
        await migrate(dsn, connect_timeout_s=10)
        yield "migrated"


@pytest.fixture
async def dsn(server_dsn: str, template: str) -> AsyncIterator[str]:
    async with temporary_database(server_dsn, "contract", template=template) as dsn:
        yield dsn


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await connect_pool(dsn, min_size=1, max_size=4, connect_timeout_s=10)
    yield opened
    await opened.close()
