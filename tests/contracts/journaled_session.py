"""A session in a journal, and what is read of it and waited for."""

import asyncio

from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import JournalFact, JournalFrame, SessionSpec
from tests.storage_values import stream_spec

SESSION = "meeting-1"


async def claimed_journal(pool: Pool, archive: PostgresArchive) -> PostgresJournal:
    """A journal with one session, claimed at epoch 1, its stream 0 open."""
    await archive.create_session(SessionSpec(SESSION, target_languages=("pt", "en")))
    made = PostgresJournal(pool)
    assert (await made.claim(SESSION, "actor-1")).epoch == 1
    await made.open_streams(SESSION, 1, [stream_spec(0)])
    return made


async def journaled(
    journal: PostgresJournal, sample: int = 0, *, stream: int = 0
) -> list[JournalFrame]:
    return [frame async for frame in journal.frames_from(SESSION, stream, sample)]


async def noted(journal: PostgresJournal) -> list[JournalFact]:
    return [fact async for fact in journal.facts(SESSION)]


async def waiting_for_a_lock(pool: Pool, statements: int) -> None:
    query = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    async with asyncio.timeout(60):
        while await pool.fetchval(query) != statements:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)
