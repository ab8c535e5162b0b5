"""Milliseconds of PostgreSQL for a session's timeline, and what the range indexes save.

    python -m tests.benchmarks.bench_timing

One session of an hour: 3,600 lines of ten words, 7,200 translations, 2,000 speaking intervals and
1,000 captions, among a hundred sessions of the same size. The figures are through the pool,
with the rows made into Python's; those of one statement are PostgreSQL's own.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.timing.alignment import DEFAULT_TOLERANCE_NS, Source, TimeWindow
from tests.database import temporary_server

SESSIONS = 100
SECOND = 10**9
HOUR = TimeWindow(0, 3600 * SECOND)
LAST_MINUTE = TimeWindow(3540 * SECOND, 3600 * SECOND)
REPEATS = 15

FILL = """
INSERT INTO bot_sessions.sessions (session_id, idempotency_hash, zero_unix_ms)
SELECT 's' || n, '', 1700000000000 FROM generate_series(1, $SESSIONS) n;
INSERT INTO bot_sessions.transcripts (session_id, transcript_id, stream, revision,
    transcript_text, language_code, start_ns, end_ns, words)
SELECT 's' || n, 't' || line, 0, 1, '', 'en', start_ns, start_ns + 900000000,
    CASE n WHEN 1 THEN (SELECT jsonb_agg(jsonb_build_object('text', 'w' || (line * 7 + w) % 997,
        'start_ns', start_ns + w * 90000000, 'end_ns', start_ns + (w + 1) * 90000000,
        'probability', 0.9)) FROM generate_series(0, 9) w) ELSE '[]' END
FROM generate_series(1, $SESSIONS) n, generate_series(0, 3599) line,
    LATERAL (SELECT line * 1000000000::bigint + (line * 7919) % 500 * 1000000 AS start_ns) at;
INSERT INTO bot_sessions.translations (session_id, source_transcript_id, target_language,
    source_language, translated_text, state, translation_service)
SELECT 's1', 't' || line, language, 'en', 'text', 'final', 'e'
FROM generate_series(0, 3599) line, unnest(ARRAY['es', 'pt']) language;
INSERT INTO bot_sessions.speaker_intervals (session_id, participant_id, start_ns, end_ns,
    speaker_name)
SELECT t.session_id, 'p' || t.start_ns % 5, t.start_ns + 800000000, t.end_ns + 800000000, 'Ana'
FROM bot_sessions.transcripts t
WHERE substr(t.transcript_id, 2)::integer % 9 < 5;
INSERT INTO bot_sessions.facts (session_id, fact, body)
SELECT 's1', row_number() OVER (), jsonb_build_object('type', 'caption', 'fact', 0,
    'participant_id', 'p1', 'name', 'Ana', 'text',
    (SELECT string_agg(w ->> 'text', ' ') FROM jsonb_array_elements(t.words) w),
    'start_unix_ms', 1700000000000 + t.start_ns / 1000000 + 1200,
    'end_unix_ms', 1700000000000 + t.end_ns / 1000000 + 1200)
FROM bot_sessions.transcripts t WHERE session_id = 's1' LIMIT 1000;
ANALYZE bot_sessions.transcripts, bot_sessions.speaker_intervals, bot_sessions.facts,
    bot_sessions.translations;
"""

OVERLAPPING = """
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY ON)
SELECT count(*) FROM bot_sessions.{table} WHERE session_id = 's1'
    AND bot_sessions.session_span(start_ns, end_ns) && int8range({start}, {end})
"""


async def times(step: Callable[[], Awaitable[object]]) -> str:
    times_ms = []
    for _ in range(REPEATS):
        began_ns = time.perf_counter_ns()
        await step()
        times_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
    return f"{statistics.median(times_ms):8.1f} ms, least {min(times_ms):.1f} ms"


async def explain(pool: Pool, table: str) -> None:
    """The last minute of an hour, with the range index and without."""
    query = OVERLAPPING.format(table=table, start=LAST_MINUTE.start_ns, end=LAST_MINUTE.end_ns)
    async with pool.acquire() as connection:
        for name in ("with its range index", "without"):
            transaction = connection.transaction()
            await transaction.start()
            if name == "without":
                await connection.execute(f"DROP INDEX bot_sessions.{table}_span")
            plans = [[row[0] for row in await connection.fetch(query)] for _ in range(REPEATS)]
            await transaction.rollback()
            times_ms = [float(plan[-1].split()[-2]) for plan in plans]
            index = next(line for line in plans[0] if "Index" in line).split(" on ")[-1].split()[0]
            print(f"{table}, the last minute, {name}: {min(times_ms):.3f} ms by {index}")


async def bench(dsn: str) -> None:
    await migrate(dsn, connect_timeout_s=10)
    pool = await connect_pool(dsn, min_size=1, max_size=1, connect_timeout_s=10)
    async with pool.acquire() as connection:
        await connection.execute(FILL.replace("$SESSIONS", str(SESSIONS)), timeout=600)
    archive = PostgresArchive(pool)
    sources = tuple(Source)

    def page(window: TimeWindow, limit: int) -> Callable[[], Awaitable[object]]:
        return lambda: archive.timeline("s1", window, DEFAULT_TOLERANCE_NS, sources, limit, None)

    print(f"first 50 rows of the hour    {await times(page(HOUR, 50))}")
    print(f"first 200 rows of the hour   {await times(page(HOUR, 200))}")
    print(f"the last minute's rows       {await times(page(LAST_MINUTE, 200))}")
    for name, window in (("the hour", HOUR), ("the last minute", LAST_MINUTE)):
        step = lambda window=window: archive.timing_measures("s1", window)  # noqa: E731
        print(f"offsets, {name:<19} {await times(step)}")
    for one in await archive.timing_measures("s1", HOUR):
        print(f"  {one.source}: {one.offset_ns / 1e9:.3f} s, {one.matched} of {one.shorter}")
    for table in ("transcripts", "speaker_intervals"):
        await explain(pool, table)
    await pool.close()


def main() -> None:
    with temporary_server() as dsn:
        asyncio.run(bench(dsn))


if __name__ == "__main__":
    main()
