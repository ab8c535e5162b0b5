"""What a second of a long meeting writes of one stream's progress, beside what it once wrote.

    python -m tests.benchmarks.bench_progress

Somebody speaks for 3 s in every 5; the bot sends the silence between, or leaves it out, which makes
a capture gap of it. Each second the progress is stored: as it is now, and as it was up to migration
0026, with all transcribed and silent ranges and all gaps each time. Both do it turn by turn in
one run, on the embedded PostgreSQL. Written bytes are what the write-ahead log grew by; CPU is this
process's, with the gathering of what is stored, and that of the connection's server process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import psutil

from orchestration.audio.sample_ranges import SampleRanges
from orchestration.session.inputs import StreamSpec
from orchestration.storage import journal_statements as sql
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import LossChange, SessionSpec
from orchestration.transcript.coverage import StreamCoverage
from tests.benchmarks.figures import machine_line
from tests.benchmarks.process_cpu import process_cpu_s
from tests.database import temporary_server
from tests.storage_values import FORMAT

HOURS = (1, 10)
WRITES = 200
RATE = FORMAT.sample_rate
UTTERANCE_S, SPOKEN_S = 5, 3
SKIPPED = "capture_skipped"

MAKE_FORMER = """
CREATE SCHEMA former;
CREATE TABLE former.streams (session_id text, stream integer, offset_ns bigint, duration bigint,
    frontier bigint, transcribed int8multirange, silent int8multirange,
    PRIMARY KEY (session_id, stream)) WITH (fillfactor = 50);
CREATE TABLE former.gaps (session_id text, stream integer, start_sample bigint, end_sample bigint,
    reason text, PRIMARY KEY (session_id, stream, start_sample));
"""

UPDATE_FORMER = """
UPDATE former.streams SET offset_ns = 0, duration = $2, frontier = $3,
    transcribed = $4::text::int8multirange, silent = $5::text::int8multirange
WHERE session_id = $1 AND stream = 0
"""

REPLACE_FORMER_GAPS = """
WITH given AS (
    SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::text[])
        AS given (start_sample, end_sample, reason)
), gone AS (
    DELETE FROM former.gaps old WHERE session_id = $1 AND NOT EXISTS (
        SELECT FROM given WHERE given.start_sample = old.start_sample)
)
INSERT INTO former.gaps AS old (session_id, stream, start_sample, end_sample, reason)
SELECT $1, 0, * FROM given
ON CONFLICT (session_id, stream, start_sample) DO UPDATE SET
    end_sample = EXCLUDED.end_sample, reason = EXCLUDED.reason
WHERE (old.end_sample, old.reason) IS DISTINCT FROM (EXCLUDED.end_sample, EXCLUDED.reason)
"""


@dataclass
class Heard:
    """A stream up to some second: its coverage, and its fates as ranges, as they once were kept."""

    skips: bool
    coverage: StreamCoverage = field(default_factory=lambda: StreamCoverage(RATE))
    spoken: SampleRanges = field(default_factory=SampleRanges)
    silent: SampleRanges = field(default_factory=SampleRanges)
    lost: SampleRanges = field(default_factory=SampleRanges)
    seconds: int = 0

    def second(self) -> None:
        start, end = self.seconds * RATE, (self.seconds + 1) * RATE
        self.coverage.extend(end)
        if self.seconds % UTTERANCE_S < SPOKEN_S:
            self.coverage.transcribed(start, end)
            self.spoken.add(start, end)
        elif self.skips:
            self.coverage.lost(start, end, SKIPPED)
            self.lost.add(start, end)
        else:
            self.coverage.silent(start, end)
            self.silent.add(start, end)
        self.seconds += 1


class Former:
    """Stores a stream's progress as it was once stored."""

    def __init__(self, pool: Pool, session_id: str) -> None:
        self._pool, self._session_id = pool, session_id

    async def write(self, heard: Heard) -> None:
        duration = heard.coverage.duration
        spoken, silent = multirange(heard.spoken), multirange(heard.silent)
        lost = list(heard.lost)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.fetchrow(sql.HOLD_EPOCH, self._session_id, 1)
            await connection.execute(
                UPDATE_FORMER, self._session_id, duration, duration, spoken, silent
            )
            await connection.execute(
                REPLACE_FORMER_GAPS,
                self._session_id,
                [start for start, _ in lost],
                [end for _, end in lost],
                [SKIPPED] * len(lost),
            )
            await connection.execute(sql.UPDATE_SESSION, self._session_id, None, None, 1, None)
            await connection.execute(sql.DATE_PARTICIPANTS, self._session_id)


class Present:
    """Stores it as a session does."""

    def __init__(self, pool: Pool, session_id: str) -> None:
        self._journal, self._session_id = PostgresJournal(pool), session_id

    async def write(self, heard: Heard) -> None:
        changes = SessionChanges(
            streams=(heard.coverage.progress(0, 0, heard.coverage.first_pending),),
            losses=tuple(LossChange(0, *one) for one in heard.coverage.take_loss_changes()),
            zero_unix_ms=1,
        )
        await self._journal.commit(self._session_id, 1, changes)


Write = Callable[[Heard], Awaitable[None]]


@dataclass
class Cost:
    """What so many writes took."""

    own_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    wall_s: float = 0.0
    wal_bytes: int = 0


async def measured(pool: Pool, cost: Cost, write: Write, heard: Heard) -> None:
    server = psutil.Process(await pool.fetchval("SELECT pg_backend_pid()"))
    wal = await wal_position(pool)
    server_s, own_s, began_s = process_cpu_s(server), time.process_time(), time.perf_counter()
    await write(heard)
    cost.wall_s += time.perf_counter() - began_s
    cost.own_cpu_s += time.process_time() - own_s
    cost.server_cpu_s += process_cpu_s(server) - server_s
    cost.wal_bytes += await wal_position(pool) - wal


async def wal_position(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def multirange(ranges: SampleRanges) -> str:
    return "{" + ",".join(f"[{start},{end})" for start, end in ranges) + "}"


async def prepare(pool: Pool, session_id: str) -> None:
    await PostgresArchive(pool).create_session(SessionSpec(session_id))
    journal = PostgresJournal(pool)
    await journal.claim(session_id, session_id)
    await journal.open_streams(session_id, 1, [StreamSpec(0, FORMAT)])
    await pool.execute("INSERT INTO former.streams VALUES ($1, 0)", session_id)


async def compare(pool: Pool, hours: int, *, skips: bool) -> None:
    session_id = f"{hours}-{skips}"
    await prepare(pool, session_id)
    heard = Heard(skips)
    for _ in range(hours * 3600):
        heard.second()
    ways = {
        "before": Former(pool, session_id).write,
        "now": Present(pool, session_id).write,
    }
    costs = {name: Cost() for name in ways}
    for write in ways.values():
        await write(heard)
    for _ in range(WRITES):
        heard.second()
        for name, write in ways.items():
            await measured(pool, costs[name], write, heard)
    what = f"{hours} h, silence is {'left out' if skips else 'sent'}"
    for name, cost in costs.items():
        figures = (
            cost.wal_bytes / 1000,
            *(1000 * one for one in (cost.own_cpu_s, cost.server_cpu_s, cost.wall_s)),
        )
        print(f"{what:>28} {name:>7}", *(f"{one / WRITES:10.2f}" for one in figures))


async def bench(dsn: str) -> None:
    await migrate(dsn, connect_timeout_s=10)
    pool = await connect_pool(dsn, min_size=1, max_size=1, connect_timeout_s=10)
    await pool.execute(MAKE_FORMER)
    print(f"One write of one stream's progress, the mean of {WRITES}; {machine_line()}")
    titles = ("log kB", "CPU ms", "server ms", "wall ms")
    print(" " * 36, *(f"{title:>10}" for title in titles))
    for skips in (False, True):
        for hours in HOURS:
            await compare(pool, hours, skips=skips)
    await pool.close()


def main() -> None:
    with temporary_server() as dsn:
        asyncio.run(bench(dsn))


if __name__ == "__main__":
    main()
