"""Databases for tests: a real server of their own, and fresh databases on it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from orchestration.storage.embedded import EmbeddedPostgres
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect, connect_pool


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


@asynccontextmanager
async def migrated_pool(server_dsn: str, name: str) -> AsyncIterator[tuple[str, Pool]]:
    """A database with the service's schema that is dropped at the end: its DSN, and a pool of four
    connections to it."""
    async with temporary_database(server_dsn, name) as dsn:
        await migrate(dsn, connect_timeout_s=10)
        pool = await connect_pool(dsn, min_size=1, max_size=4, connect_timeout_s=10)
        yield dsn, pool
        await pool.close()


async def execute(dsn: str, statements: str) -> None:
    connection = await connect(dsn, connect_timeout_s=10)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()
