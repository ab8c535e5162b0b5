"""Only one incarnation of a session writes: claims and writes that meet each other."""

import asyncio

import pytest

from orchestration.errors import Fenced, OrchestrationError, UnknownSession
from orchestration.storage import journal_statements as sql
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import JournalFact
from tests.contracts.journaled_session import (
    SESSION,
    claimed_journal,
    journaled,
    noted,
    waiting_for_a_lock,
)
from tests.storage_values import (
    erased,
    event,
    frame,
    segment,
    stream_spec,
)


@pytest.fixture
async def journal(pool: Pool, archive: PostgresArchive) -> PostgresJournal:
    return await claimed_journal(pool, archive)


async def test_an_end_and_a_commit_under_way_do_not_wait_for_each_other(
    journal: PostgresJournal, pool: Pool
) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with pool.acquire() as commit, commit.transaction():
        await commit.execute(
            "UPDATE bot_sessions.streams SET duration = duration WHERE session_id = $1", SESSION
        )
        ending = asyncio.create_task(journal.end_streams(SESSION, 1, {0: 1}, 7))
        while not await pool.fetchval(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await commit.execute(sql.UPDATE_SESSION, SESSION, "delayed", None, None, None)
    await ending
    found = await journal.claim(SESSION, "actor-2")
    assert (found.session.status, found.last_fact) == ("delayed", 7)
    assert [row.last_seq for row in found.streams] == [1]


async def write_in_every_way(journal: PostgresJournal, session_id: str, epoch: int) -> list[str]:
    """Try each write; returns the classes of what they raised."""
    raised = []
    for write in (
        journal.open_streams(session_id, epoch, [stream_spec(9)]),
        journal.append(session_id, epoch, [frame(0)], [JournalFact(0, {})]),
        journal.append(session_id, epoch, [], []),
        journal.end_streams(session_id, epoch, {0: 5}, 3),
        journal.commit(session_id, epoch, SessionChanges(events=[event(1)], status="failed")),
    ):
        with pytest.raises(OrchestrationError) as caught:
            await write
        raised.append(type(caught.value).__name__)
    return raised


async def test_no_write_of_an_older_epoch_is_stored(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    await journal.claim(SESSION, "actor-2")
    before = await archive.streams(SESSION), await archive.snapshot(SESSION, 10)
    assert set(await write_in_every_way(journal, SESSION, 1)) == {Fenced.__name__}
    assert (await archive.streams(SESSION), await archive.snapshot(SESSION, 10)) == before
    assert await journaled(journal) == []
    assert await noted(journal) == []


async def test_writes_to_a_deleted_session_say_so(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    await erased(archive, SESSION)
    assert set(await write_in_every_way(journal, SESSION, 1)) == {UnknownSession.__name__}
    with pytest.raises(UnknownSession):
        await journal.claim(SESSION, "actor-2")
    with pytest.raises(UnknownSession):
        await journaled(journal)


async def test_a_claim_waits_for_a_write_under_way_and_finds_it(
    journal: PostgresJournal, pool: Pool
) -> None:
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(sql.HOLD_EPOCH, SESSION, 1)
        claim = asyncio.create_task(journal.claim(SESSION, "actor-2"))
        await waiting_for_a_lock(pool, 1)
        await other.execute(
            "INSERT INTO bot_sessions.events VALUES ($1, 1, 'status', NULL, '{}')", SESSION
        )
        await transaction.commit()
    assert (await claim).last_event_seq == 1


async def test_writes_that_meet_a_claim_under_way_are_refused_after_it(
    journal: PostgresJournal, pool: Pool
) -> None:
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(sql.LOCK_FOR_CLAIM, SESSION)
        await other.fetchval(sql.RAISE_EPOCH + "epoch", SESSION, "actor-2")
        append = asyncio.create_task(journal.append(SESSION, 1, [frame(0)], []))
        commit = asyncio.create_task(journal.commit(SESSION, 1, SessionChanges(events=[event(1)])))
        await waiting_for_a_lock(pool, 2)
        await transaction.commit()
    for write in (append, commit):
        with pytest.raises(Fenced):
            await write
    assert await journaled(journal) == []


async def test_appends_and_commits_of_one_session_do_not_wait_for_each_other(
    journal: PostgresJournal,
) -> None:
    async def append(seq: int) -> None:
        await journal.append(SESSION, 1, [frame(seq)], [JournalFact(seq, {})])

    async def commit(number: int) -> None:
        changes = SessionChanges(segments=[segment(number)], status="active", zero_unix_ms=number)
        await journal.commit(SESSION, 1, changes)

    await asyncio.gather(*map(append, range(20)), *map(commit, range(1, 20)))
    assert len(await journaled(journal)) == 20
