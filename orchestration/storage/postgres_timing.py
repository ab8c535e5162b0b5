"""A session's timeline and its corrections, in PostgreSQL."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestration.session.fields import MAX_INTEGER
from orchestration.storage.cursors import cursor_at, place_of
from orchestration.storage.measure_statements import CAPTION_WORDS, MEASURES, PUNCTUATION
from orchestration.storage.pool import (
    EXISTS,
    Connection,
    LongReads,
    Pool,
    database,
    unknown_session,
)
from orchestration.storage.rows import Row
from orchestration.storage.stored_text import storable_text
from orchestration.storage.timing_ports import (
    MAX_CORRECTIONS_TOLD,
    AppliedCorrection,
    RelatedRow,
    TimedRow,
    TimelinePage,
    TimingStatistics,
)
from orchestration.storage.timing_statements import (
    CORRECTIONS,
    CURRENT_CORRECTIONS,
    RELATED,
    STORE_CORRECTION,
    TIMELINE,
    TIMING_STATISTICS,
)
from orchestration.timing.alignment import (
    ACCURACY_BANDS,
    AGREEMENT_NS,
    BAND_LIMITS_NS,
    MAX_OFFSET_NS,
    MOVABLE,
    Correction,
    Source,
    SourceMeasure,
    TimeWindow,
)

MAX_RELATED = 20
"""Rows of one source that are told with a line; the first ones."""


class PostgresTiming:
    """`TimingArchive` over a pool."""

    _pool: Pool
    _reads: LongReads

    async def timeline(
        self,
        session_id: str,
        window: TimeWindow,
        tolerance_ns: int,
        sources: Sequence[Source],
        limit: int,
        cursor: str | None,
    ) -> TimelinePage:
        place = (-MAX_INTEGER, "", "") if cursor is None else place_of(cursor, int, str, str)
        async with self._reads.session_view(session_id) as connection:
            moved = await _corrections_ns(connection, session_id)
            rows = await connection.fetch(
                TIMELINE,
                session_id,
                window.start_ns - tolerance_ns,
                window.end_ns + tolerance_ns,
                sources,
                *place,
                limit + 1,
                *moved,
            )
            items = [_timed_row(row) for row in rows[:limit]]
            lines = [one.row_id for one in items if one.source == Source.TRANSCRIPTS]
            related: defaultdict[str, list[RelatedRow]] = defaultdict(list)
            if lines:
                found = await connection.fetch(
                    RELATED, session_id, lines, tolerance_ns, sources, MAX_RELATED, *moved
                )
                for row in found:
                    related[row["line"]].append(_related_row(row))
        items = [
            replace(one, related=tuple(related[one.row_id]))
            if one.source == Source.TRANSCRIPTS
            else one
            for one in items
        ]
        if len(rows) <= limit:
            return TimelinePage(items, None)
        last = items[-1]
        return TimelinePage(items, cursor_at(last.start_ns or 0, last.source.value, last.row_id))

    async def timing_measures(
        self,
        session_id: str,
        window: TimeWindow,
        corrections_ns: Mapping[Source, int] | None = None,
    ) -> Sequence[SourceMeasure]:
        async with self._reads.session_view(session_id) as connection:
            moved = await _corrections_ns(connection, session_id)
            if corrections_ns is not None:
                moved = [
                    corrections_ns.get(one, ns) for one, ns in zip(MOVABLE, moved, strict=True)
                ]
            rows = await connection.fetch(
                MEASURES,
                session_id,
                window.start_ns,
                window.end_ns,
                *moved,
                MAX_OFFSET_NS,
                AGREEMENT_NS,
                # The database's bands begin at their limits, ours end there.
                [limit_ns + 1 for limit_ns in BAND_LIMITS_NS],
                PUNCTUATION,
                CAPTION_WORDS,
            )
        correction_ns = dict(zip(MOVABLE, moved, strict=True))
        return [_measure(row, correction_ns.get(Source(row["source"]), 0)) for row in rows]

    async def timing_corrections(self, session_id: str) -> Sequence[AppliedCorrection]:
        async with self._reads.session_view(session_id) as connection:
            rows = await connection.fetch(CORRECTIONS, session_id, MAX_CORRECTIONS_TOLD)
        return [
            AppliedCorrection(
                Correction(Source(row["source"]), row["offset_ns"], row["matched"], row["reason"]),
                row["quality_before"],
                row["quality_after"],
                row["applied_by"],
                row["applied_at"],
            )
            for row in rows
        ]

    async def correct_timing(
        self,
        session_id: str,
        corrections: Sequence[Correction],
        quality_before: float | None,
        quality_after: float | None,
        applied_by: str,
    ) -> None:
        async with database(self._pool) as connection, connection.transaction():
            # So that a session that is deleted meanwhile is unknown, and no broken constraint.
            known = await connection.fetchval(f"{EXISTS} FOR KEY SHARE", session_id)
            if known is None:
                raise unknown_session(session_id)
            for one in corrections:
                await connection.execute(
                    STORE_CORRECTION,
                    session_id,
                    one.source,
                    one.offset_ns,
                    one.matched,
                    one.reason,
                    quality_before,
                    quality_after,
                    storable_text(applied_by),
                )

    async def timing_statistics(self) -> TimingStatistics:
        async with database(self._pool) as connection:
            row = await connection.fetchrow(TIMING_STATISTICS)
        assert row is not None
        figures = dict(row)
        by_source = {one.value: figures.pop(one.value) for one in MOVABLE}
        return TimingStatistics(**figures, corrections_by_source=by_source)


async def _corrections_ns(connection: Connection, session_id: str) -> list[int]:
    """What is taken off each source of `MOVABLE`, in its order."""
    rows = await connection.fetch(CURRENT_CORRECTIONS, session_id)
    offset_ns = {row["source"]: row["offset_ns"] for row in rows}
    return [offset_ns.get(source.value, 0) for source in MOVABLE]


def _timed_row(row: Row) -> TimedRow:
    fields = dict(row)
    return TimedRow(Source(fields.pop("source")), **fields)


def _related_row(row: Row) -> RelatedRow:
    return RelatedRow(
        Source(row["source"]), row["row_id"], row["start_ns"], row["end_ns"], row["confidence"]
    )


def _measure(row: Row, correction_ns: int) -> SourceMeasure:
    counts = Counter(row["bands"])
    return SourceMeasure(
        source=Source(row["source"]),
        pairs=row["pairs"],
        shorter=row["shorter"],
        matched=row["matched"],
        offset_ns=row["offset_ns"],
        spread_ns=row["spread_ns"],
        correction_ns=correction_ns,
        matched_by_band=tuple(counts[band] for band in range(len(ACCURACY_BANDS))),
    )
