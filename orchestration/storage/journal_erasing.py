"""Emptying a session's journal, some rows at a time."""

from collections.abc import Awaitable, Callable, Sequence

from orchestration.storage.pool import Connection, Pool, database
from orchestration.storage.recording_statements import EMPTY_JOURNAL

ROWS_AT_ONCE = 10_000
"""Frames that one statement removes. Audio that could not be filed for an hour may be a million of
them, and no statement may take longer than `COMMAND_TIMEOUT_S`."""


async def empty_journal(
    pool: Pool,
    session_id: str,
    streams: Sequence[int] | None = None,
    note: Callable[[Connection, int], Awaitable[None]] | None = None,
) -> None:
    """Remove a session's frames, of all streams or of these, in transactions of their own; `note`
    is told of each how many rows it removes, and takes part in it."""
    removed = ROWS_AT_ONCE
    while removed == ROWS_AT_ONCE:
        async with database(pool) as connection, connection.transaction():
            tag = await connection.execute(EMPTY_JOURNAL, session_id, streams, ROWS_AT_ONCE)
            removed = int(tag.rpartition(" ")[2])
            if removed and note is not None:
                await note(connection, removed)
