"""Reading journaled facts, a page at a time."""

from collections.abc import AsyncIterator

from orchestration.storage.pool import Pool, database
from orchestration.storage.values import JournalFact

PAGE_FACTS = 500
"""Facts in memory at once, some 500 kB: all of a meeting of four hours are 30 MB."""

PAGE = """
SELECT fact, body FROM bot_sessions.facts
WHERE session_id = $1 AND fact > $2 ORDER BY fact LIMIT $3
"""


async def read_facts(pool: Pool, session_id: str) -> AsyncIterator[JournalFact]:
    """All facts of a session in order. Between pages it holds no connection.

    Raises:
        DatabaseUnavailable: at the first fact, or between two.
    """
    number = -1
    while True:
        async with database(pool) as connection:
            rows = await connection.fetch(PAGE, session_id, number, PAGE_FACTS)
        for row in rows:
            yield JournalFact(row["fact"], row["body"])
        if len(rows) < PAGE_FACTS:
            return
        number = rows[-1]["fact"]
