"""Which migrations are missing from a database."""

from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.storage.migrations import Migration, missing_migrations, read_migrations

FIRST, SECOND = Migration("0001_a.sql", "SELECT 1"), Migration("0002_b.sql", "SELECT 2")


def test_an_empty_database_misses_all_of_them_in_order() -> None:
    assert missing_migrations([FIRST, SECOND], {}) == [FIRST, SECOND]


def test_what_is_applied_is_not_missing() -> None:
    assert missing_migrations([FIRST, SECOND], {FIRST.name: FIRST.sha256}) == [SECOND]


def test_an_applied_file_that_has_changed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"0001_a\.sql has changed"):
        missing_migrations([FIRST, SECOND], {FIRST.name: SECOND.sha256})


def test_a_migration_from_the_future_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"0002_b\.sql"):
        missing_migrations([FIRST], {SECOND.name: SECOND.sha256})


def test_migrations_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("0002_b.sql", "0010_c.sql", "0001_a.sql", "README.md"):
        (tmp_path / name).write_text(name)
    names = [migration.name for migration in read_migrations(tmp_path)]
    assert names == ["0001_a.sql", "0002_b.sql", "0010_c.sql"]


def test_an_installation_without_migrations_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No migrations"):
        read_migrations(tmp_path)
