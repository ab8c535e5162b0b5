"""Reading journaled audio, a page at a time."""

from collections.abc import AsyncIterator

from orchestration.storage.pool import Pool, database, unknown_session
from orchestration.storage.rows import frame_from
from orchestration.storage.values import JournalFrame

PAGE_FRAMES = 256
"""Frames in memory at once: under 1 MB of ordinary ones, 16 MB of the largest."""

# Frames lie in the order of their samples, so the search runs back from the newest frame and
# touches only those that end after the sample: on recovery, the last few seconds.
LAST_SEQ_BEFORE_SAMPLE = """
SELECT seq FROM bot_sessions.audio_journal
WHERE session_id = $1 AND stream = $2 AND first_sample + sample_count <= $3
ORDER BY seq DESC LIMIT 1
"""

PAGE = """
SELECT stream, seq, first_sample, sample_count, content_hash, payload, received_ns
FROM bot_sessions.audio_journal
WHERE session_id = $1 AND stream = $2 AND seq > $3 ORDER BY seq LIMIT $4
"""


async def read_frames(
    pool: Pool, session_id: str, stream: int, *, after_sample: int
) -> AsyncIterator[JournalFrame]:
    """Frames of a stream that end after the sample; otherwise as `read_frames_after`."""
    async with database(pool) as connection:
        seq = await connection.fetchval(LAST_SEQ_BEFORE_SAMPLE, session_id, stream, after_sample)
    async for frame in read_frames_after(pool, session_id, stream, -1 if seq is None else seq):
        yield frame


async def read_frames_after(
    pool: Pool, session_id: str, stream: int, seq: int
) -> AsyncIterator[JournalFrame]:
    """Frames of a stream after `seq`, in order of seq.

    Between pages it holds no connection, so a slow reader holds nobody up.

    Raises:
        UnknownSession, DatabaseUnavailable: at the first frame, or between two.
    """
    async with database(pool) as connection:
        known = await connection.fetchval(
            "SELECT 1 FROM bot_sessions.sessions WHERE session_id = $1", session_id
        )
    if known is None:
        raise unknown_session(session_id)
    while True:
        async with database(pool) as connection:
            rows = await connection.fetch(PAGE, session_id, stream, seq, PAGE_FRAMES)
        for row in rows:
            yield frame_from(row)
        if len(rows) < PAGE_FRAMES:
            return
        seq = rows[-1]["seq"]
