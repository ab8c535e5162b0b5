"""The TimingArchive port in memory: rows and measures are what a test says they are."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from orchestration.storage.timing_ports import (
    AppliedCorrection,
    TimedRow,
    TimelinePage,
    TimingStatistics,
)
from orchestration.timing.alignment import (
    ACCURACY_BANDS,
    Correction,
    Source,
    SourceMeasure,
    TimeWindow,
    accuracy_of,
)
from tests.doubles.cursors import first_row


@dataclass
class StoredTiming:
    """One session's rows in order, and by how much each of its sources is off."""

    rows: list[TimedRow] = field(default_factory=list)
    offsets_ns: dict[Source, int] = field(default_factory=dict)
    corrections: list[AppliedCorrection] = field(default_factory=list)

    def corrections_ns(self) -> dict[Source, int]:
        return {one.correction.source: one.correction.offset_ns for one in self.corrections}


class InMemoryTiming(ABC):
    """Every source's ten rows are off by the same."""

    @abstractmethod
    def timing_of(self, session_id: str) -> StoredTiming: ...

    @abstractmethod
    def timings(self) -> Iterable[StoredTiming]: ...

    async def timeline(
        self,
        session_id: str,
        window: TimeWindow,
        tolerance_ns: int,
        sources: Sequence[Source],
        limit: int,
        cursor: str | None,
    ) -> TimelinePage:
        stored = self.timing_of(session_id)
        moved_ns = stored.corrections_ns()
        wanted = [
            _moved(row, moved_ns.get(row.source, 0)) for row in stored.rows if row.source in sources
        ]
        within = [row for row in wanted if window.overlaps(_window(row), tolerance_ns)]
        first = first_row(cursor)
        more = first + limit < len(within)
        return TimelinePage(within[first : first + limit], str(first + limit) if more else None)

    async def timing_measures(
        self,
        session_id: str,
        window: TimeWindow,
        corrections_ns: Mapping[Source, int] | None = None,
    ) -> Sequence[SourceMeasure]:
        stored = self.timing_of(session_id)
        moved_ns = stored.corrections_ns() | dict(corrections_ns or {})
        return [
            _measure(source, offset_ns, moved_ns.get(source, 0))
            for source, offset_ns in stored.offsets_ns.items()
        ]

    async def timing_corrections(self, session_id: str) -> Sequence[AppliedCorrection]:
        return self.timing_of(session_id).corrections[::-1]

    async def correct_timing(
        self,
        session_id: str,
        corrections: Sequence[Correction],
        quality_before: float | None,
        quality_after: float | None,
        applied_by: str,
    ) -> None:
        now = datetime.now(UTC)
        self.timing_of(session_id).corrections += [
            AppliedCorrection(one, quality_before, quality_after, applied_by, now)
            for one in corrections
        ]

    async def timing_statistics(self) -> TimingStatistics:
        applied = [one for stored in self.timings() for one in stored.corrections]
        by_source = Counter(one.correction.source.value for one in applied)
        sessions = sum(1 for stored in self.timings() if stored.corrections)
        return TimingStatistics(sessions, len(applied), by_source, 0, None, None, None)


def _moved(row: TimedRow, by_ns: int) -> TimedRow:
    assert row.start_ns is not None
    assert row.end_ns is not None
    return replace(
        row, start_ns=row.start_ns - by_ns, end_ns=row.end_ns - by_ns, correction_ns=by_ns
    )


def _window(row: TimedRow) -> TimeWindow:
    assert row.start_ns is not None
    assert row.end_ns is not None
    return TimeWindow(row.start_ns, row.end_ns)


def _measure(source: Source, offset_ns: int, correction_ns: int) -> SourceMeasure:
    accuracy = accuracy_of(offset_ns - correction_ns)
    bands = tuple(10 * (band.accuracy == accuracy) for band in ACCURACY_BANDS)
    return SourceMeasure(source, 10, 10, 10, offset_ns, 0, correction_ns, bands)
