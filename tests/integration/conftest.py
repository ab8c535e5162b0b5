"""One PostgreSQL for the integration tests that make databases of their own on it."""

from collections.abc import Iterator

import pytest

from tests.database import temporary_server


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    with temporary_server() as dsn:
        yield dsn
