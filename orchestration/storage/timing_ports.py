"""The port for what is stored of a session on its one timeline, and its rows.

Session times are nanoseconds since the session's first sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestration.timing.alignment import Correction, Source, SourceMeasure, TimeWindow


@dataclass(frozen=True, slots=True)
class RelatedRow:
    """A row of another source that lies where a line does, or that names the line."""

    source: Source
    row_id: str
    start_ns: int
    end_ns: int | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class TimedRow:
    """A row of any source. Its times have `correction_ns` taken off them already.

    `end_ns` is None while it goes on, `start_ns` when its start is not known. `segment_id` is the
    line that a translation or a correlation is of. `related` is filled for lines only.
    """

    source: Source
    row_id: str
    start_ns: int | None
    end_ns: int | None
    correction_ns: int
    stream: int | None = None
    segment_id: str | None = None
    speaker_id: str | None = None
    speaker_name: str | None = None
    language: str | None = None
    text: str | None = None
    confidence: float | None = None
    related: tuple[RelatedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Rows in order of start, and where the next page begins, if there is one."""

    items: Sequence[TimedRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AppliedCorrection:
    """A correction as stored; a source's newest one holds."""

    correction: Correction
    quality_before: float | None
    quality_after: float | None
    applied_by: str
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class TimingStatistics:
    """All corrections of all sessions that are stored."""

    sessions: int
    corrections: int
    corrections_by_source: Mapping[str, int]
    mean_abs_offset_ns: int
    mean_quality_before: float | None
    mean_quality_after: float | None
    last_applied_at: datetime | None


class TimingArchive(Protocol):
    """Reading and correcting session time. All raise DatabaseUnavailable when PostgreSQL is away;
    those that name a session raise UnknownSession."""

    async def timeline(
        self,
        session_id: str,
        window: TimeWindow,
        tolerance_ns: int,
        sources: Sequence[Source],
        limit: int,
        cursor: str | None,
    ) -> TimelinePage:
        """Rows that overlap the window, or are less than the tolerance from it.

        Raises:
            BadRequest: the cursor is not one that was given.
        """
        ...

    async def timing_measures(
        self,
        session_id: str,
        window: TimeWindow,
        corrections_ns: Mapping[Source, int] | None = None,
    ) -> Sequence[SourceMeasure]:
        """How each source stands to the session's clock within the window.

        With `corrections_ns` as if those held for their sources.
        """
        ...

    async def timing_corrections(self, session_id: str) -> Sequence[AppliedCorrection]:
        """Those that hold, then the newest of the others: at most `MAX_CORRECTIONS_TOLD`."""
        ...

    async def correct_timing(
        self,
        session_id: str,
        corrections: Sequence[Correction],
        quality_before: float | None,
        quality_after: float | None,
        applied_by: str,
    ) -> None:
        """Store corrections, all or none."""
        ...

    async def timing_statistics(self) -> TimingStatistics: ...


MAX_CORRECTIONS_TOLD = 100
"""Older corrections of a session stay stored, and are not told."""
