"""Versions of the settings in PostgreSQL."""

from collections.abc import Sequence
from datetime import UTC, datetime

from orchestration.config.differences import Difference
from orchestration.config.versions import SettingsVersion
from orchestration.errors import SettingsConflict, UnknownSettings
from orchestration.storage.pool import Pool, database
from orchestration.storage.rows import Row
from orchestration.storage.settings_ports import VERSIONS_KEPT
from orchestration.storage.stored_text import storable_text

COLUMNS = "version, overrides, changed_by, changed_at, comment, differences, settings_digest"

NEWEST = f"SELECT {COLUMNS} FROM bot_sessions.settings_versions ORDER BY version DESC LIMIT 1"
ONE = f"SELECT {COLUMNS} FROM bot_sessions.settings_versions WHERE version = $1"
PAGE = f"""
SELECT {COLUMNS} FROM bot_sessions.settings_versions
WHERE $1::bigint IS NULL OR version < $1 ORDER BY version DESC LIMIT $2
"""
ADD = f"""
INSERT INTO bot_sessions.settings_versions ({COLUMNS})
SELECT $1, $2, $3, $4, $5, $6, $7
WHERE $1 = (SELECT coalesce(max(version), 0) + 1 FROM bot_sessions.settings_versions)
ON CONFLICT (version) DO NOTHING
RETURNING version
"""
DROP_OLD = "DELETE FROM bot_sessions.settings_versions WHERE version <= $1"


class PostgresSettings:
    """`SettingsStore` over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def newest_version(self) -> SettingsVersion | None:
        async with database(self._pool) as connection:
            row = await connection.fetchrow(NEWEST)
        return None if row is None else _version_from(row)

    async def version(self, number: int) -> SettingsVersion:
        async with database(self._pool) as connection:
            row = await connection.fetchrow(ONE, number)
        if row is None:
            raise unknown_settings(number)
        return _version_from(row)

    async def versions_page(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(PAGE, before, limit + 1)
        page = [_version_from(row) for row in rows[:limit]]
        return page, page[-1].number if len(rows) > limit else None

    async def add_version(self, version: SettingsVersion) -> None:
        changes = [
            {"setting": one.place, "before": one.before, "after": one.after}
            for one in version.differences
        ]
        async with database(self._pool) as connection, connection.transaction():
            added = await connection.fetchval(
                ADD,
                version.number,
                version.overrides,
                storable_text(version.changed_by),
                datetime.fromtimestamp(version.changed_unix_ms / 1000, UTC),
                storable_text(version.comment),
                changes,
                version.digest,
            )
            if added is None:
                raise not_next(version.number)
            await connection.execute(DROP_OLD, version.number - VERSIONS_KEPT)


def unknown_settings(number: int) -> UnknownSettings:
    return UnknownSettings(
        f"There is no version {number} of the settings, or no longer.", {"version": number}
    )


def not_next(number: int) -> SettingsConflict:
    return SettingsConflict(
        "The settings have changed meanwhile: look at them again.", {"version": number}
    )


def _version_from(row: Row) -> SettingsVersion:
    return SettingsVersion(
        row["version"],
        row["overrides"],
        row["changed_by"],
        round(row["changed_at"].timestamp() * 1000),
        row["comment"],
        tuple(
            Difference(one["setting"], one["before"], one["after"]) for one in row["differences"]
        ),
        row["settings_digest"],
    )
