"""Bring a database's schema up to date.

`db/migrations/NNNN_name.sql` are applied in the order of their names, each in a transaction with
its record, one starter at a time. An applied file is history: it must never change.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from orchestration.errors import ConfigurationError, DatabaseUnavailable
from orchestration.storage.availability import UNAVAILABILITY, unavailable
from orchestration.storage.pool import Connection, connect

MIGRATIONS_FOLDER = Path(__file__).resolve().parents[2] / "db" / "migrations"
MIGRATION_TIMEOUT_S = 600
"""A change to a large table may take minutes, and so may waiting for another starter's."""
CLOSE_TIMEOUT_S = 5
"""The goodbye to the server; after this the connection is cut."""

# Any number will do that nobody else locks: the ASCII bytes of "orchestr".
ADVISORY_LOCK = 0x6F72636865737472

CREATE_RECORDS = """
CREATE SCHEMA IF NOT EXISTS bot_sessions;
CREATE TABLE IF NOT EXISTS bot_sessions.schema_migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name orders it, its checksum tells whether it has changed."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """The folder's migrations in order.

    Raises:
        ConfigurationError: there are none, so the installation is incomplete.
    """
    paths = sorted(folder.glob("[0-9]*.sql"), key=lambda path: path.name)
    if not paths:
        raise ConfigurationError(
            f"No migrations in {folder}: run the service from a clone, or reinstall it from one "
            "with `pip install -e`."
        )
    return [Migration(path.name, path.read_text(encoding="utf-8")) for path in paths]


def missing_migrations(
    migrations: Sequence[Migration], applied_sha256_by_name: Mapping[str, str]
) -> list[Migration]:
    """What is still to be applied.

    Raises:
        ConfigurationError: an applied migration has changed since, or is newer than this service.
    """
    known = {migration.name for migration in migrations}
    for name in sorted(applied_sha256_by_name.keys() - known):
        raise ConfigurationError(
            f"The database has had {name}, which this version of the service does not know: "
            "run the version that made it, or a newer one.",
            {"migration": name},
        )
    for migration in migrations:
        if applied_sha256_by_name.get(migration.name, migration.sha256) != migration.sha256:
            raise ConfigurationError(
                f"{migration.name} has changed since it was applied to this database: restore "
                "the file, and put the change in a new migration.",
                {"migration": migration.name},
            )
    return [one for one in migrations if one.name not in applied_sha256_by_name]


async def migrate(
    dsn: str, *, connect_timeout_s: float, migrations: Sequence[Migration] | None = None
) -> list[str]:
    """Apply what is missing; returns the names applied. Safe to run in many processes at once.

    Raises:
        ConfigurationError: the database's history is not ours; nothing was applied.
        DatabaseUnavailable: PostgreSQL does not answer, or refuses the changes.
    """
    wanted = read_migrations() if migrations is None else migrations
    connection = await connect(dsn, connect_timeout_s=connect_timeout_s)
    try:
        async with asyncio.timeout(MIGRATION_TIMEOUT_S):
            return await _migrate(connection, wanted)
    except UNAVAILABILITY as error:
        raise unavailable(error) from error
    except asyncpg.PostgresError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL refused the service's schema: {error}. Use a database of its own with "
            "the right to create a schema in it."
        ) from error
    finally:
        await connection.close(timeout=CLOSE_TIMEOUT_S)


async def _migrate(connection: Connection, wanted: Sequence[Migration]) -> list[str]:
    # Held until the connection ends, so that a starter that dies lets the next one in.
    await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
    # Asked first, because creating what exists still wants the right to create.
    if await connection.fetchval("SELECT to_regclass('bot_sessions.schema_migrations')") is None:
        await connection.execute(CREATE_RECORDS)
    rows = await connection.fetch("SELECT name, sha256 FROM bot_sessions.schema_migrations")
    missing = missing_migrations(wanted, {row["name"]: row["sha256"] for row in rows})
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO bot_sessions.schema_migrations (name, sha256) VALUES ($1, $2)",
                migration.name,
                migration.sha256,
            )
    return [migration.name for migration in missing]
