"""Databases for tests: a real server of their own, and fresh databases on it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from orchestration.storage.embedded import EmbeddedPostgres
from orchestration.storage.pool import connect


@contextmanager
def temporary_server() -> Iterator[str]:
    """A server with data of its own; yields its DSN."""
    with tempfile.TemporaryDirectory(prefix="database-") as folder:
        server = EmbeddedPostgres(Path(folder))
        try:
            yield server.start()
        finally:
            server.stop()


@asynccontextmanager
async def temporary_database(
    server_dsn: str, name: str, *, template: str = "template1"
) -> AsyncIterator[str]:
    """A database that is dropped at the end; yields its DSN."""
    await execute(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield server_dsn.replace("/postgres?", f"/{name}?")
    finally:
        await execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def execute(dsn: str, statements: str) -> None:
    connection = await connect(dsn, connect_timeout_s=10)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()
