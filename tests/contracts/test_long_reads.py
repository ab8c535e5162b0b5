"""Whoever asks for much holds up nobody who asks for little."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from orchestration.errors import DatabaseUnavailable
from orchestration.storage import pool as pool_module
from orchestration.storage.data_ports import SearchQuery
from orchestration.storage.pool import Pool, connect, connection_waiters
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.values import SessionSpec
from orchestration.timing.alignment import Source, TimeWindow

MORE_THAN_THE_POOL_HAS = 6
LONG_READS: dict[str, Callable[[PostgresArchive], Awaitable[object]]] = {
    "search": lambda archive: archive.search(SearchQuery("hello"), 10, None),
    "transcript": lambda archive: archive.segments("s"),
    "page": lambda archive: archive.segments_page("s", 0, 1, 10, None),
    "speakers": lambda archive: archive.speakers("s"),
    "timeline": lambda archive: archive.timeline("s", TimeWindow(0, 1), 0, [*Source], 10, None),
    "statistics": lambda archive: archive.statistics("s"),
}


@pytest.mark.parametrize("name", LONG_READS)
async def test_a_bot_that_comes_waits_for_no_long_read(
    name: str, dsn: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = PostgresArchive(pool)
    await archive.create_session(SessionSpec("s"))
    other = await connect(dsn, connect_timeout_s=10)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE bot_sessions.transcripts IN ACCESS EXCLUSIVE MODE")
            reads = [
                asyncio.create_task(_awaited(LONG_READS[name](archive)))
                for _ in range(MORE_THAN_THE_POOL_HAS)
            ]
            while not connection_waiters():  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0)
            await archive.new_connection_id("s")
            assert not any(one.done() for one in reads)
            monkeypatch.setattr(pool_module, "ACQUIRE_TIMEOUT_S", 0.01)
            with pytest.raises(DatabaseUnavailable):
                await LONG_READS[name](archive)
        await asyncio.gather(*reads)
    finally:
        await other.close()
    assert connection_waiters() == 0


async def _awaited(read: Awaitable[object]) -> None:
    await read
