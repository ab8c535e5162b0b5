"""Cost of the session journal on the embedded PostgreSQL, all durable.

    python -m tests.benchmarks.bench_storage

Appends carry one frame of 100 ms (s16le, 16 kHz), or the batch that gathers while one is under
way; commits carry what one chunk of speech brings. Wall time is of this process and the server
together on the machine's cores; CPU is this process alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from orchestration.audio.pcm import PcmFormat
from orchestration.session.events import DurableEvent
from orchestration.session.inputs import StreamSpec
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import JournalFrame, SessionSpec, StreamProgress
from orchestration.transcript.segments import Segment, TimedWord
from tests.database import temporary_server

FRAME_SAMPLES = 1600
PAYLOAD = bytes(range(256)) * 12 + bytes(128)
FORMAT = PcmFormat("s16le", 16_000, 1)
WORDS = tuple(TimedWord(f"word{n}", n * 10**8, (n + 1) * 10**8, 0.9) for n in range(12))

Step = Callable[[str, int], Awaitable[None]]


def frames(first_seq: int, count: int) -> list[JournalFrame]:
    return [
        JournalFrame(0, seq, seq * FRAME_SAMPLES, FRAME_SAMPLES, bytes(16), PAYLOAD)
        for seq in range(first_seq, first_seq + count)
    ]


def changes(number: int) -> SessionChanges:
    """What one chunk brings."""
    segment = Segment(f"segment-{number}", 1, 0, number * 10**9, number * 10**9, None, "en", WORDS)
    heard = number * 80_000
    progress = StreamProgress(0, 0, heard, heard, heard, 0, heard)
    event = DurableEvent(number + 1, "segment", {"segment": {"text": segment.text}})
    return SessionChanges(events=(event,), segments=(segment,), streams=(progress,))


async def measure(pool: Pool, name: str, sessions: int, steps: int, step: Step) -> float:
    """Run `steps` of each of so many sessions at once; prints, and returns steps a second."""
    archive, journal = PostgresArchive(pool), PostgresJournal(pool)
    ids = [f"{name}-{number}".replace(" ", "_") for number in range(sessions)]
    for session_id in ids:
        await archive.create_session(SessionSpec(session_id))
        await journal.claim(session_id, session_id)
        await journal.open_streams(session_id, 1, [StreamSpec(0, FORMAT)])
    latencies_ns: list[int] = []

    async def run(session_id: str) -> None:
        for number in range(steps):
            began_ns = time.perf_counter_ns()
            await step(session_id, number)
            latencies_ns.append(time.perf_counter_ns() - began_ns)

    wall_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(run, ids))
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    latencies_ns.sort()
    total = sessions * steps
    p50, p99 = (latencies_ns[int(total * share)] / 1000 for share in (0.5, 0.99))
    print(f"{name:>32} {total / wall_s:9.0f} {p50:9.0f} {p99:9.0f} {cpu_s * 1e6 / total:9.0f}")
    return total / wall_s


async def bench(dsn: str) -> None:
    await migrate(dsn, connect_timeout_s=10)
    pool = await connect_pool(dsn, min_size=4, max_size=4, connect_timeout_s=10)
    journal = PostgresJournal(pool)

    def append(batch: int) -> Step:
        return lambda session_id, number: journal.append(
            session_id, 1, frames(number * batch, batch), ()
        )

    async def commit(session_id: str, number: int) -> None:
        await journal.commit(session_id, 1, changes(number))

    print(f"{'':>32} {'a second':>9} {'p50 us':>9} {'p99 us':>9} {'CPU us':>9}")
    await measure(pool, "append 1 frame", 1, 2000, append(1))
    await measure(pool, "append 1 frame, 16 sessions", 16, 200, append(1))
    rate = await measure(pool, "append 10 frames", 1, 500, append(10))
    print(f"{'':>32} {rate * 10:9.0f} frames a second")
    rate = await measure(pool, "append 10 frames, 16 sessions", 16, 60, append(10))
    print(f"{'':>32} {rate * 10:9.0f} frames a second")
    await measure(pool, "commit", 1, 500, commit)
    await pool.close()


def main() -> None:
    with temporary_server() as dsn:
        asyncio.run(bench(dsn))


if __name__ == "__main__":
    main()
