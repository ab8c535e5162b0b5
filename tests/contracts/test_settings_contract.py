"""Versions of the settings as they are stored and read, in PostgreSQL and in memory."""

import asyncio
from dataclasses import replace

import pytest

from orchestration.config.differences import Difference
from orchestration.config.versions import SettingsVersion
from orchestration.errors import SettingsConflict, UnknownSettings
from orchestration.storage import postgres_settings
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_settings import PostgresSettings
from orchestration.storage.settings_ports import SettingsStore
from tests.database import execute
from tests.doubles import in_memory_settings
from tests.doubles.in_memory_settings import InMemorySettings

FIRST = SettingsVersion(
    1,
    {"sessions": {"chunking": {"chunk_ms": 5000}}, "services": {"whisper": [{"url": "http://w"}]}},
    "key from 10.0.0.7",
    1_700_000_000_123,
    "longer chunks, até já",
    (Difference("sessions.chunking.chunk_ms", 4000, 5000), Difference("x", None, [1, "a"])),
    "d" * 64,
)


@pytest.fixture(params=["postgres", "memory"])
async def store(request: pytest.FixtureRequest, pool: Pool, dsn: str) -> SettingsStore:
    if request.param == "memory":
        return InMemorySettings()
    await execute(dsn, "TRUNCATE bot_sessions.settings_versions")
    return PostgresSettings(pool)


async def fill(store: SettingsStore, count: int) -> None:
    for number in range(1, count + 1):
        await store.add_version(replace(FIRST, number=number, comment=f"c{number}"))


async def test_a_version_comes_back_as_it_was(store: SettingsStore) -> None:
    assert await store.newest_version() is None
    await store.add_version(FIRST)
    assert await store.newest_version() == FIRST
    assert await store.version(1) == FIRST


@pytest.mark.parametrize("number", [1, 3, 4])
async def test_only_the_next_number_is_taken(store: SettingsStore, number: int) -> None:
    await fill(store, 1)
    with pytest.raises(SettingsConflict):
        await store.add_version(replace(FIRST, number=number))
    assert (await store.newest_version() or FIRST).comment == "c1"


async def test_of_two_who_change_at_once_one_is_told_of_the_other(store: SettingsStore) -> None:
    await fill(store, 1)
    changes = [store.add_version(replace(FIRST, number=2, comment=name)) for name in "ab"]
    answers = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(one) for one in answers if one is not None] == [SettingsConflict]
    assert (await store.version(2)).comment == "ab"[answers.index(None)]


async def test_history_is_read_by_the_page_newest_first(store: SettingsStore) -> None:
    await fill(store, 5)
    first, before = await store.versions_page(None, 3)
    second, end = await store.versions_page(before, 3)
    assert [one.number for one in (*first, *second)] == [5, 4, 3, 2, 1]
    assert end is None


async def test_old_versions_go_and_are_unknown_then(
    store: SettingsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_settings, "VERSIONS_KEPT", 2)
    monkeypatch.setattr(in_memory_settings, "VERSIONS_KEPT", 2)
    await fill(store, 4)
    assert (await store.version(3)).number == 3
    with pytest.raises(UnknownSettings):
        await store.version(2)
