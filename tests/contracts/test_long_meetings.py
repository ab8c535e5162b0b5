"""What is read and written of a long meeting goes by pages, and by what is new."""

import pytest

from orchestration.storage.fact_reader import PAGE_FACTS
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import JournalFact
from tests.contracts.journaled_session import SESSION, claimed_journal, noted
from tests.storage_values import participant


@pytest.fixture
async def journal(pool: Pool, archive: PostgresArchive) -> PostgresJournal:
    return await claimed_journal(pool, archive)


@pytest.mark.parametrize("count", [PAGE_FACTS - 1, PAGE_FACTS, 2 * PAGE_FACTS + 1])
async def test_any_number_of_facts_comes_back_in_order(
    journal: PostgresJournal, count: int
) -> None:
    facts = [JournalFact(2 * number, {"text": str(number)}) for number in range(count)]
    await journal.append(SESSION, 1, [], facts[::-1])
    assert await noted(journal) == facts


async def test_participants_are_dated_anew_by_another_zero_only(
    journal: PostgresJournal, pool: Pool
) -> None:
    """Each second's progress says the zero again."""
    written = "SELECT xmin::text, join_time FROM bot_sessions.participants"
    begun = SessionChanges(participants=[participant()], zero_unix_ms=1_000_000)
    await journal.commit(SESSION, 1, begun)
    first = await pool.fetch(written)
    await journal.commit(SESSION, 1, SessionChanges(zero_unix_ms=1_000_000))
    assert await pool.fetch(written) == first
    await journal.commit(SESSION, 1, SessionChanges(zero_unix_ms=2_000_000))
    (moved,) = await pool.fetch(written)
    assert (moved["join_time"] - first[0]["join_time"]).total_seconds() == 1000
