"""Sessions whose sources are off by known times, stored and asked about."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from orchestration.session.fact_codec import fact_json
from orchestration.session.inputs import CaptionFact, ClockFact, UnixMoment
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import (
    JournalFact,
    RecordedFile,
    SessionSpec,
    SpeakerIntervalRow,
    StreamProgress,
)
from orchestration.timing.alignment import (
    Source,
    SourceMeasure,
    TimeWindow,
)
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord
from tests.storage_values import stream_spec

MS = 10**6
SECOND = 10**9
ZERO_UNIX_MS = 1_700_000_000_000
MEETING = TimeWindow(0, 4000 * SECOND)
ALL = tuple(Source)
WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india")

Times = list[tuple[int, int]]


def turns(count: int, seed: int = 7) -> Times:
    """Starts and ends of turns of 2 to 6 s, with pauses between them."""
    random, turns, at_ns = Random(seed), [], SECOND
    for _ in range(count):
        end_ns = at_ns + random.randint(2000, 6000) * MS
        turns.append((at_ns, end_ns))
        at_ns = end_ns + random.randint(300, 2500) * MS
    return turns


def line(number: int, start_ns: int, end_ns: int, who: str | None = None) -> Segment:
    """Eight words that no other line has in this order."""
    random = Random(number)
    step_ns = (end_ns - start_ns) // 8
    words = tuple(
        TimedWord(
            f"{random.choice(WORDS)}{random.randint(0, 99)}",
            start_ns + n * step_ns,
            start_ns + (n + 1) * step_ns,
            0.9,
        )
        for n in range(8)
    )
    speaker = None if who is None else SpeakerName(who, who, 1.0, "own_stream")
    return Segment(f"segment-{number}", 1, 0, start_ns, end_ns, speaker, "en", words)


def lines(times: Times, who: str | None = None) -> list[Segment]:
    return [line(number, *span, who) for number, span in enumerate(times)]


def intervals(times: Times, offset_ns: int = 0, who: str = "p1") -> list[SpeakerIntervalRow]:
    return [
        SpeakerIntervalRow(who, "Ana", start_ns + offset_ns, end_ns + offset_ns)
        for start_ns, end_ns in times
    ]


def captions(segments: Sequence[Segment], offset_ns: int = 0) -> list[CaptionFact]:
    """What a platform shows of the same words, with capitals and points, by the wall clock."""

    def unix_ms(ns: int) -> UnixMoment:
        return UnixMoment(ZERO_UNIX_MS + (ns + offset_ns) // MS)

    return [
        CaptionFact(
            number,
            "p1",
            "Ana",
            one.text.capitalize() + ".",
            unix_ms(one.start_ns),
            unix_ms(one.end_ns),
        )
        for number, one in enumerate(segments)
    ]


class StoredMeeting:
    """Session s1 in the database, and what is asked about it."""

    def __init__(self, pool: Pool) -> None:
        self.archive = PostgresArchive(pool)
        self._journal = PostgresJournal(pool)
        self._pool = pool

    async def create(self, session_id: str = "s1") -> None:
        await self.archive.create_session(SessionSpec(session_id))
        await self._journal.claim(session_id, session_id)
        await self._journal.open_streams(session_id, 1, [stream_spec(0)])

    async def commit(self, changes: SessionChanges, session_id: str = "s1") -> None:
        placed = StreamProgress(0, 0, 16_000 * 4000, 0, 0, 0, 0)
        changes = replace(changes, streams=[placed], zero_unix_ms=ZERO_UNIX_MS)
        await self._journal.commit(session_id, 1, changes)

    async def tell(self, facts: Sequence[CaptionFact | ClockFact]) -> None:
        rows = [JournalFact(one.fact, fact_json(one)) for one in facts]
        await self._journal.append("s1", 1, [], rows)

    async def file(self, first_sample: int, end_sample: int) -> None:
        file = RecordedFile(
            "s1", 0, first_sample, end_sample, first_sample, end_sample, 16_000, 1, 9, "ab" * 32
        )
        await self._journal.add_file("s1", 1, file)

    async def correlate(self, segments: Sequence[Segment], offset_ns: int) -> None:
        async with self._pool.acquire() as connection:
            await connection.executemany(
                "INSERT INTO bot_sessions.correlations (correlation_id, session_id,"
                " inhouse_transcript_id, correlation_type, correlation_method, start_timestamp,"
                " end_timestamp, correlation_confidence)"
                " VALUES ($1, 's1', $2, 'exact', 'text', $3, $4, 0.75)",
                [
                    (
                        f"c-{one.segment_id}",
                        one.segment_id,
                        (one.start_ns + offset_ns) / 1e9,
                        (one.end_ns + offset_ns) / 1e9,
                    )
                    for one in segments
                ],
            )

    async def measure(self, source: Source, window: TimeWindow = MEETING) -> SourceMeasure | None:
        measures = await self.archive.timing_measures("s1", window)
        return next((one for one in measures if one.source == source), None)

    async def ids(
        self,
        start_ns: int,
        end_ns: int,
        *sources: Source,
        tolerance_ns: int = 0,
        limit: int = 200,
    ) -> list[str]:
        """The rows of all pages."""
        ids: list[str] = []
        cursor = None
        while True:
            page = await self.archive.timeline(
                "s1", TimeWindow(start_ns, end_ns), tolerance_ns, sources or ALL, limit, cursor
            )
            ids += [one.row_id for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return ids
