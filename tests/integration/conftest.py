"""What integration tests share: a PostgreSQL for their databases, and the edge over doubles."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.database import temporary_server
from tests.doubles.api_server import ApiServer, api_server


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    with temporary_server() as dsn:
        yield dsn


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        yield running
