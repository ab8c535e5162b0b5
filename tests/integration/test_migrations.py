"""Migrations on a real server."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError, DatabaseUnavailable
from orchestration.storage.migrations import Migration, migrate, read_migrations
from orchestration.storage.pool import connect
from orchestration.storage.postgres_binaries import installed_programs
from tests.database import execute, temporary_database

SCHEMA_FILE = Path(__file__).parents[2] / "db" / "schema.sql"
RECORDS = "SELECT name || ' ' || sha256 FROM bot_sessions.schema_migrations ORDER BY name"


@pytest.fixture
async def dsn(server_dsn: str) -> AsyncIterator[str]:
    async with temporary_database(server_dsn, "empty") as dsn:
        yield dsn


async def column(dsn: str, query: str) -> list[str]:
    connection = await connect(dsn, connect_timeout_s=10)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


def dump(dsn: str) -> str:
    """The whole schema as pg_dump writes it, without the random keys of its psql guards."""
    done = subprocess.run(
        [installed_programs() / "bin" / "pg_dump", "--schema-only", "--dbname", dsn],
        check=True,
        capture_output=True,
        text=True,
    )
    return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)


async def apply(dsn: str, *migrations: Migration) -> list[str]:
    return await migrate(dsn, connect_timeout_s=10, migrations=migrations)


async def test_the_schema_file_is_the_sum_of_the_migrations(server_dsn: str, dsn: str) -> None:
    await migrate(dsn, connect_timeout_s=10)
    async with temporary_database(server_dsn, "from_file") as other:
        await execute(other, SCHEMA_FILE.read_text(encoding="utf-8"))
        assert dump(other) == dump(dsn)
        assert await column(other, RECORDS) == await column(dsn, RECORDS)


def test_the_schema_file_has_each_thing_once_in_its_last_form() -> None:
    schema = SCHEMA_FILE.read_text(encoding="utf-8")
    made = re.findall(r"^CREATE .*?(bot_sessions\.\w+|INDEX \w+)", schema, re.MULTILINE)
    assert len(made) == len(set(made)) > 20
    assert not re.search(r"^(CREATE OR REPLACE|DROP)|ADD COLUMN", schema, re.MULTILINE)


async def test_a_database_made_from_the_schema_file_needs_no_migration(dsn: str) -> None:
    await execute(dsn, SCHEMA_FILE.read_text(encoding="utf-8"))
    assert await migrate(dsn, connect_timeout_s=10) == []


async def test_each_migration_is_applied_once_by_whoever_comes_first(dsn: str) -> None:
    applied = await asyncio.gather(*(migrate(dsn, connect_timeout_s=10) for _ in range(5)))
    names = [name for names in applied for name in names]
    assert names == [migration.name for migration in read_migrations()]


async def test_only_what_is_missing_is_applied(dsn: str) -> None:
    first = Migration("0001_a.sql", "CREATE TABLE a ()")
    second = Migration("0002_b.sql", "CREATE TABLE b ()")
    assert await apply(dsn, first) == ["0001_a.sql"]
    assert await apply(dsn, first, second) == ["0002_b.sql"]


async def test_an_applied_migration_that_has_changed_is_refused(dsn: str) -> None:
    await apply(dsn, Migration("0001_a.sql", "CREATE TABLE a ()"))
    with pytest.raises(ConfigurationError, match=r"0001_a\.sql has changed"):
        await apply(dsn, Migration("0001_a.sql", "CREATE TABLE a (b int)"))


async def test_a_database_of_a_newer_service_is_refused(dsn: str) -> None:
    await apply(dsn, Migration("0002_b.sql", "CREATE TABLE b ()"))
    with pytest.raises(ConfigurationError, match=r"0002_b\.sql"):
        await apply(dsn, Migration("0001_a.sql", "CREATE TABLE a ()"))


async def test_a_failing_migration_leaves_nothing_and_may_be_tried_again(dsn: str) -> None:
    broken = Migration("0001_a.sql", "CREATE TABLE a (); CREATE TABLE a ()")
    with pytest.raises(DatabaseUnavailable, match="refused"):
        await apply(dsn, broken)
    assert await apply(dsn, Migration("0001_a.sql", "CREATE TABLE a ()")) == ["0001_a.sql"]


async def test_every_row_of_a_session_refers_to_it(dsn: str) -> None:
    """Directly, or through a row that does: so that none can be left behind."""
    await migrate(dsn, connect_timeout_s=10)
    orphans = """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'bot_sessions'::regnamespace AND c.relkind = 'r'
            AND a.attname = 'session_id' AND c.relname <> 'sessions' AND NOT EXISTS (
                SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'
                    AND k.confdeltype = 'c' AND a.attnum = ANY (k.conkey))"""
    assert await column(dsn, orphans) == []


async def test_every_moment_has_its_time_zone(dsn: str) -> None:
    await migrate(dsn, connect_timeout_s=10)
    naive = """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'bot_sessions' AND data_type = 'timestamp without time zone'"""
    assert await column(dsn, naive) == []


async def test_statistics_count_each_row_once(dsn: str) -> None:
    """Two files and three lines joined would give every figure six times."""
    await migrate(dsn, connect_timeout_s=10)
    await execute(
        dsn,
        """
        INSERT INTO bot_sessions.sessions (session_id, idempotency_hash) VALUES ('s', '');
        INSERT INTO bot_sessions.audio_files (file_id, session_id, file_path, file_name,
            file_size, file_format, duration_seconds)
        SELECT n, 's', 'p', 'n', 100, 'flac', 3 FROM unnest(ARRAY['1', '2']) n;
        INSERT INTO bot_sessions.transcripts (session_id, transcript_id, stream, revision,
            transcript_text, language_code, start_ns, end_ns, words)
        SELECT 's', n, 0, 1, 'a b', 'en', 0, 1, '["a", "b"]' FROM unnest(ARRAY['1', '2', '3']) n;
        """,
    )
    figures = """
        SELECT concat_ws(' ', total_audio_files, total_audio_duration, total_audio_size,
            total_transcripts, total_transcript_words) FROM bot_sessions.session_statistics"""
    assert await column(dsn, figures) == ["2 6 200 3 6"]


async def test_ranges_of_an_earlier_version_become_the_figures_that_they_add_up_to(
    dsn: str,
) -> None:
    """Of the second stream nothing was stored yet."""
    migrations = read_migrations()
    at = [one.name for one in migrations].index("0027_progress.sql")
    await apply(dsn, *migrations[:at])
    await execute(
        dsn,
        """
        INSERT INTO bot_sessions.sessions (session_id, idempotency_hash) VALUES ('s', '');
        INSERT INTO bot_sessions.streams (session_id, stream, encoding, sample_rate, channels,
            duration, frontier, transcribed, silent)
        VALUES ('s', 0, 's16le', 16000, 1, 1000, 450,
                '{[0,100),[300,500)}', '{[100,250),[600,700)}'),
            ('s', 1, 's16le', 16000, 1, NULL, NULL, '{}', '{}');
        INSERT INTO bot_sessions.gaps (session_id, stream, start_sample, end_sample, reason)
        VALUES ('s', 0, 250, 300, 'capture_skipped');
        """,
    )
    await apply(dsn, *migrations)
    figures = """
        SELECT concat_ws(' ', transcribed_samples, silent_samples, transcribed_to_frontier)
        FROM bot_sessions.streams ORDER BY stream"""
    assert await column(dsn, figures) == ["300 250 250", "0 0 0"]
