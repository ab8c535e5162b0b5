"""HTTP: everything of a session on its one timeline, and what corrects it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.api.sessions import DEFAULT_PAGE, Limit
from orchestration.api.time_ranges import MAX_SECONDS, Seconds
from orchestration.api.timing_views import (
    CorrectionView,
    SourceTimingView,
    TimeRangeView,
    TimingStatisticsView,
    TimingView,
    correction_view,
    drift_of,
    item_view,
    source_view,
    statistics_view,
)
from orchestration.storage.timing_ports import AppliedCorrection, TimingArchive
from orchestration.timing.alignment import (
    DEFAULT_TOLERANCE_NS,
    GOOD_QUALITY,
    MAX_OFFSET_NS,
    Source,
    SourceMeasure,
    TimeWindow,
    corrections_for,
    reasons_to_leave,
    synchronization_quality,
)

MAX_CURSOR_CHARACTERS = 2000
"""A cursor holds a row's id, which has a participant's id in it."""
MAX_BY_CHARACTERS = 100
WHOLE_SESSION = TimeWindow(-MAX_SECONDS * 10**9, MAX_SECONDS * 10**9)

_MAX_TOLERANCE_S = MAX_OFFSET_NS / 1e9
_DEFAULT_TOLERANCE_S = DEFAULT_TOLERANCE_NS / 1e9


class RealignRequest(BaseModel):
    """Correct the session's sources that are off by more than `tolerance` seconds.

    With `force` also when the session is synchronized well as it is.
    """

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"example": {"session_id": "weekly", "sources": ["captions"]}},
    )

    session_id: str = Field(pattern=SESSION_ID_PATTERN)
    sources: list[Literal["speaker_intervals", "captions", "correlations"]] = [
        "speaker_intervals",
        "captions",
        "correlations",
    ]
    tolerance: float = Field(_DEFAULT_TOLERANCE_S, ge=0.001, le=_MAX_TOLERANCE_S)
    force: bool = False
    by: str = Field("api", min_length=1, max_length=MAX_BY_CHARACTERS)


class AlignmentView(BaseModel):
    """What a realignment did; `left` says of every other source why it stays as it is."""

    session_id: str
    status: Literal["aligned", "skipped"]
    quality_before: float | None
    quality_after: float | None
    corrections_applied: int
    corrections: list[CorrectionView]
    left: dict[str, str]
    sources: list[SourceTimingView]


def timing_router(archive: TimingArchive) -> APIRouter:
    """`/api/audio/timing`."""
    router = APIRouter(prefix="/api/audio", tags=["audio"])

    @router.get("/timing")
    async def timing(
        session_id: Annotated[str | None, Query(pattern=SESSION_ID_PATTERN)] = None,
        start: Annotated[Seconds, Query(alias="from")] = 0,
        end: Annotated[Seconds | None, Query(alias="to")] = None,
        tolerance: Annotated[float, Query(ge=0, le=_MAX_TOLERANCE_S)] = _DEFAULT_TOLERANCE_S,
        sources: Annotated[list[Source] | None, Query()] = None,
        limit: Limit = DEFAULT_PAGE,
        cursor: Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)] = None,
    ) -> TimingView | TimingStatisticsView:
        """Rows of all sources within a window, corrected, and how well the sources agree there.

        Without `session_id`: how much was corrected in all sessions that are stored.
        """
        if session_id is None:
            return statistics_view(await archive.timing_statistics())
        window = _window(start, end)
        chosen = tuple(dict.fromkeys(sources or Source))
        tolerance_ns = round(tolerance * 1e9)
        page = await archive.timeline(session_id, window, tolerance_ns, chosen, limit, cursor)
        measures = await archive.timing_measures(session_id, window)
        corrections = await archive.timing_corrections(session_id)
        drift = drift_of([one for one in measures if one.source in chosen])
        return TimingView(
            session_id=session_id,
            time_range=TimeRangeView(start=start, end=end),
            tolerance=tolerance,
            synchronization_quality=_rounded(synchronization_quality(measures)),
            drift_detected=any(abs(offset) > tolerance for offset in drift.values()),
            time_drift=drift,
            sources=_sources(chosen, measures, corrections),
            corrections=[correction_view(one) for one in corrections],
            items=[item_view(row) for row in page.items],
            next_cursor=page.next_cursor,
        )

    @router.post("/timing")
    async def realign(body: RealignRequest) -> AlignmentView:
        """Measure how far each source is off, and store what corrects it. Words never move."""
        return await _realign(archive, body)

    return router


async def _realign(archive: TimingArchive, body: RealignRequest) -> AlignmentView:
    before = await archive.timing_measures(body.session_id, WHOLE_SESSION)
    quality_before = quality_after = synchronization_quality(before)
    good = quality_before is not None and quality_before > GOOD_QUALITY and not body.force
    chosen = [Source(one) for one in body.sources]
    corrections = [] if good else corrections_for(before, round(body.tolerance * 1e9), chosen)
    after = before
    if corrections:
        planned_ns = {one.source: one.offset_ns for one in corrections}
        after = await archive.timing_measures(body.session_id, WHOLE_SESSION, planned_ns)
        quality_after = synchronization_quality(after)
        await archive.correct_timing(
            body.session_id, corrections, quality_before, quality_after, body.by
        )
    applied = await archive.timing_corrections(body.session_id)
    stored = [one for one in applied if one.correction in corrections][: len(corrections)]
    return AlignmentView(
        session_id=body.session_id,
        status="aligned" if corrections else "skipped",
        quality_before=_rounded(quality_before),
        quality_after=_rounded(quality_after),
        corrections_applied=len(corrections),
        corrections=[correction_view(one) for one in stored],
        left=dict(reasons_to_leave(before, corrections, chosen)),
        sources=_sources(tuple(Source), after, applied),
    )


def _sources(
    chosen: Sequence[Source],
    measures: Sequence[SourceMeasure],
    applied: Sequence[AppliedCorrection],
) -> list[SourceTimingView]:
    measure_of = {one.source: one for one in measures}
    correction_ns: dict[Source, int] = {}
    for one in applied:
        correction_ns.setdefault(one.correction.source, one.correction.offset_ns)
    return [
        source_view(source, measure_of.get(source), correction_ns.get(source, 0))
        for source in chosen
    ]


def _window(start_s: float, end_s: float | None) -> TimeWindow:
    end_s = MAX_SECONDS if end_s is None else end_s
    if start_s >= end_s:
        fault = {"loc": ("query", "to"), "msg": "must be above from", "type": "value_error"}
        raise RequestValidationError([fault])
    return TimeWindow(round(start_s * 1e9), round(end_s * 1e9))


def _rounded(quality: float | None) -> float | None:
    return None if quality is None else round(quality, 4)
