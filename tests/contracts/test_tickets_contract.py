"""What every archive promises of tickets."""

import asyncio
from datetime import datetime, timedelta

import pytest

from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive


@pytest.fixture
async def now(pool: Pool) -> datetime:
    """The database's own clock, by which it drops what is long expired."""
    moment: datetime = await pool.fetchval("SELECT now()")
    return moment


async def test_a_ticket_is_good_once(archive: PostgresArchive, now: datetime) -> None:
    await archive.store_ticket(b"hash", "live", now + timedelta(minutes=1))
    tries = await asyncio.gather(
        *(archive.redeem_ticket(b"hash", "live", now, keep=False) for _ in range(4))
    )
    assert sorted(tries) == [False, False, False, True]


async def test_a_ticket_that_is_kept_is_good_until_it_expires(
    archive: PostgresArchive, now: datetime
) -> None:
    await archive.store_ticket(b"hash", "browser", now + timedelta(minutes=1))
    for _ in range(2):
        assert await archive.redeem_ticket(b"hash", "browser", now, keep=True)
    later = now + timedelta(minutes=1)
    assert not await archive.redeem_ticket(b"hash", "browser", later, keep=True)


async def test_a_ticket_is_good_for_its_kind_alone(archive: PostgresArchive, now: datetime) -> None:
    await archive.store_ticket(b"hash", "browser", now + timedelta(minutes=1))
    assert not await archive.redeem_ticket(b"hash", "live", now, keep=False)
    assert not await archive.redeem_ticket(b"other", "browser", now, keep=False)
    assert await archive.redeem_ticket(b"hash", "browser", now, keep=False)


async def test_tickets_long_expired_are_dropped(
    archive: PostgresArchive, pool: Pool, now: datetime
) -> None:
    await archive.store_ticket(b"old", "live", now - timedelta(days=1))
    await archive.store_ticket(b"new", "live", now + timedelta(days=1))
    hashes = await pool.fetch("SELECT ticket_hash FROM bot_sessions.tickets")
    assert [row["ticket_hash"] for row in hashes] == [b"new"]
