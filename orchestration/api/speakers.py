"""HTTP: who spoke in a session, and what people say about it. What they say is pinned."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from orchestration.api.ports import Sessions
from orchestration.api.problems import ProblemView
from orchestration.api.session_ids import SessionId
from orchestration.api.sessions import DEFAULT_PAGE, Cursor, Limit
from orchestration.api.speaker_views import (
    CorrectedView,
    SpeakerCorrectionPage,
    SpeakersView,
    correction_view,
    speakers_view,
)
from orchestration.errors import BadRequest
from orchestration.session.fields import clean_name
from orchestration.session.speaker_corrections import MAX_NAME_CHARACTERS
from orchestration.speakers.corrections import (
    CORRECTED_BY,
    Correction,
    MapSpeaker,
    MergeSpeakers,
    Person,
    RenameSpeaker,
    UnmapSpeaker,
)
from orchestration.storage.archive_ports import Archive

MAX_ID_CHARACTERS = 500
"""A label's id has its upstream's name in it, an attendee's the name of its conference."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_CHARACTERS)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS)]
By = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]

CORRECTION_PROBLEMS: dict[int | str, dict[str, object]] = {
    404: {"model": ProblemView, "description": "No such session, person, label or line"},
    409: {"model": ProblemView, "description": "It does not go with an earlier correction"},
}


class _Corrects(BaseModel):
    model_config = ConfigDict(strict=True)

    by: By = CORRECTED_BY


class _OfOneSource(_Corrects):
    """What it is about: one line, or all words of a label or person."""

    segment_id: Id | None = None
    speaker_id: Id | None = None

    @model_validator(mode="after")
    def names_one(self) -> "_OfOneSource":
        if (self.segment_id is None) == (self.speaker_id is None):
            raise ValueError("name either a segment_id or a speaker_id")
        return self


class PersonRequest(BaseModel):
    """A person; without an id the one that has this name by hand, or a new one."""

    model_config = ConfigDict(strict=True)

    id: Id | None = None
    name: Name


class MapRequest(_OfOneSource):
    """A line, or all words of a label or person, are this person's."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"segment_id": "weekly:0:12", "person": {"id": "p-101", "name": "Ana"}}
        }
    )

    person: PersonRequest


class UnmapRequest(_OfOneSource):
    """Evidence decides again: what was mapped, merged or renamed by hand is undone."""


class MergeRequest(_Corrects):
    """Two ids are one person, known by the second."""

    speaker_id: Id
    into_id: Id


class RenameRequest(_Corrects):
    """A label or person has another name."""

    speaker_id: Id
    name: Name


def named_person(person_id: str | None, raw_name: str) -> Person:
    """Who it is by hand.

    Raises:
        BadRequest: nothing of the name can be seen.
    """
    name = visible_name(raw_name)
    return Person(person_id or f"person:{name.casefold()}", name)


def visible_name(raw_name: str) -> str:
    """A name on one line.

    Raises:
        BadRequest: nothing of it can be seen.
    """
    name = clean_name(raw_name)
    if not name:
        raise BadRequest("The name has no visible character.", {"field": "name"})
    return name


def speakers_router(sessions: Sessions, archive: Archive) -> APIRouter:
    """`/api/sessions/{session_id}/speakers…`."""
    router = APIRouter(prefix="/api/sessions/{session_id}/speakers", tags=["speakers"])

    @router.get("")
    async def speakers(session_id: SessionId) -> SpeakersView:
        """Everybody who was there or spoke: how long, named by what, corrected or not."""
        return speakers_view(session_id, await archive.speakers(session_id))

    @router.get("/corrections")
    async def corrections(
        session_id: SessionId, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None
    ) -> SpeakerCorrectionPage:
        """What people said about who spoke: who, and when."""
        page = await archive.speaker_corrections(session_id, limit, cursor)
        return SpeakerCorrectionPage(
            items=[correction_view(one) for one in page.items], next_cursor=page.next_cursor
        )

    async def correct(session_id: str, correction: Correction, by: str) -> CorrectedView:
        repainted = await sessions.correct(session_id, correction, visible_name(by))
        return CorrectedView(session_id=session_id, repainted=repainted)

    @router.post("/map", responses=CORRECTION_PROBLEMS)
    async def map_speaker(session_id: SessionId, body: MapRequest) -> CorrectedView:
        """Say whose a line is, or all words of a label or person; also after the end."""
        person = named_person(body.person.id, body.person.name)
        correction = MapSpeaker(person, body.segment_id, body.speaker_id)
        return await correct(session_id, correction, body.by)

    @router.post("/unmap", responses=CORRECTION_PROBLEMS)
    async def unmap_speaker(session_id: SessionId, body: UnmapRequest) -> CorrectedView:
        """Take back what was said by hand of a line, label or person."""
        return await correct(session_id, UnmapSpeaker(body.segment_id, body.speaker_id), body.by)

    @router.post("/merge", responses=CORRECTION_PROBLEMS)
    async def merge_speakers(session_id: SessionId, body: MergeRequest) -> CorrectedView:
        """Say that two ids are one person."""
        return await correct(session_id, MergeSpeakers(body.speaker_id, body.into_id), body.by)

    @router.post("/rename", responses=CORRECTION_PROBLEMS)
    async def rename_speaker(session_id: SessionId, body: RenameRequest) -> CorrectedView:
        """Give a label or person another name."""
        correction = RenameSpeaker(body.speaker_id, visible_name(body.name))
        return await correct(session_id, correction, body.by)

    return router
