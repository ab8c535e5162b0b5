"""HTTP: whose lines and voices are, by what evidence, in the first layout's field names."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.api.correlation_views import (
    CorrelationStatisticsView,
    CorrelationsView,
    correlation_view,
    statistics_view,
)
from orchestration.api.ports import Sessions
from orchestration.api.session_data import LongCursor
from orchestration.api.session_ids import SESSION_ID_PATTERN
from orchestration.api.sessions import DEFAULT_PAGE, Limit
from orchestration.api.speakers import (
    CORRECTION_PROBLEMS,
    By,
    Id,
    Name,
    named_person,
    visible_name,
)
from orchestration.api.time_ranges import TimeRange
from orchestration.speakers.corrections import (
    CORRECTED_BY,
    Correction,
    MapSpeaker,
    MergeSpeakers,
)
from orchestration.storage.archive_ports import Archive


class CorrelateRequest(BaseModel):
    """A mapping by hand: a line (`segment_id`) or a voice (`whisper_speaker_id`) is somebody's.

    Who it is, is said by `external_speaker_name`, with an `external_speaker_id` or without; the id
    alone maps a voice to somebody known. The same with `google_meet_speaker_…`. Without a line and
    a voice, all lines are named anew by the evidence there is.
    """

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "example": {
                "session_id": "weekly",
                "whisper_speaker_id": "voice:0:http://whisper:5001#SPEAKER_01",
                "external_speaker_name": "Ana",
            }
        },
    )

    session_id: Annotated[str, Field(pattern=SESSION_ID_PATTERN)]
    segment_id: Id | None = None
    whisper_speaker_id: Id | None = None
    external_speaker_id: Id | None = None
    external_speaker_name: Name | None = None
    google_meet_speaker_id: Id | None = None
    google_meet_speaker_name: Name | None = None
    by: By = CORRECTED_BY

    @model_validator(mode="after")
    def is_one_mapping(self) -> "CorrelateRequest":
        sources = [one for one in (self.segment_id, self.whisper_speaker_id) if one is not None]
        if len(sources) > 1:
            raise ValueError("name either a segment_id or a whisper_speaker_id")
        if sources and self.name is None and (self.person_id is None or self.segment_id):
            raise ValueError("say whose it is: external_speaker_name")
        if not sources and (self.name or self.person_id):
            raise ValueError("say what is theirs: segment_id or whisper_speaker_id")
        return self

    @property
    def person_id(self) -> str | None:
        return self.external_speaker_id or self.google_meet_speaker_id

    @property
    def name(self) -> str | None:
        return self.external_speaker_name or self.google_meet_speaker_name

    def correction(self) -> Correction | None:
        """The correction that this is; None asks for names by evidence."""
        if self.name is not None:
            person = named_person(self.person_id, self.name)
            return MapSpeaker(person, self.segment_id, self.whisper_speaker_id)
        if self.whisper_speaker_id is not None and self.person_id is not None:
            return MergeSpeakers(self.whisper_speaker_id, self.person_id)
        return None


class CorrelatedView(BaseModel):
    """How many lines have another name now, and how well all are named."""

    session_id: str
    status: Literal["mapped", "correlated"]
    repainted: int
    statistics: CorrelationStatisticsView


def correlations_router(sessions: Sessions, archive: Archive) -> APIRouter:
    """`/api/audio/correlations`."""
    router = APIRouter(prefix="/api/audio/correlations", tags=["audio"])

    @router.get("")
    async def correlations(
        session_id: Annotated[str, Query(pattern=SESSION_ID_PATTERN)],
        within: TimeRange,
        limit: Limit = DEFAULT_PAGE,
        cursor: LongCursor = None,
    ) -> CorrelationsView:
        """Whose the lines within a range of session time are, and why; voices too from 0 on."""
        page = await archive.correlations(session_id, *within, limit, cursor)
        figures = await archive.correlation_figures(session_id)
        return CorrelationsView(
            session_id=session_id,
            items=[correlation_view(session_id, one) for one in page.items],
            next_cursor=page.next_cursor,
            statistics=statistics_view(figures),
        )

    @router.post("", responses=CORRECTION_PROBLEMS)
    async def correlate(body: CorrelateRequest) -> CorrelatedView:
        """Say whose a line or voice is; or have all lines named anew by the evidence there is."""
        correction = body.correction()
        repainted = await sessions.correct(body.session_id, correction, visible_name(body.by))
        figures = await archive.correlation_figures(body.session_id)
        return CorrelatedView(
            session_id=body.session_id,
            status="correlated" if correction is None else "mapped",
            repainted=repainted,
            statistics=statistics_view(figures),
        )

    return router
