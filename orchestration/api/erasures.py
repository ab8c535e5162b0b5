"""HTTP: erasing people, and what proves erasures."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.api.erasure_views import ErasureView, erasure_view
from orchestration.api.ports import Sessions
from orchestration.api.sessions import DEFAULT_PAGE, Limit
from orchestration.session.fields import MAX_INTEGER
from orchestration.storage.data_ports import DataArchive
from orchestration.storage.erasure_ports import Person

MAX_PERSON_CHARACTERS = 1000


class PersonToErase(BaseModel):
    """One of the three says who. `audio` says which goes: that of streams that carry only this
    person, or all audio of the sessions they were in."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"email": "ana@example.org"}}
    )

    participant_id: str | None = Field(None, min_length=1, max_length=MAX_PERSON_CHARACTERS)
    email: str | None = Field(None, min_length=1, max_length=MAX_PERSON_CHARACTERS)
    name: str | None = Field(None, min_length=1, max_length=MAX_PERSON_CHARACTERS)
    audio: Literal["own", "all"] = "own"

    @model_validator(mode="after")
    def one_says_who(self) -> "PersonToErase":
        if sum(one is not None for one in (self.participant_id, self.email, self.name)) != 1:
            raise ValueError("give participant_id, email or name, and only one of them")
        return self


class ErasurePage(BaseModel):
    """Receipts, newest first; `next_before` asks for the following ones."""

    items: list[ErasureView]
    next_before: int | None


def erasures_router(sessions: Sessions, archive: DataArchive) -> APIRouter:
    """`/api/people` and `/api/erasures`."""
    router = APIRouter(prefix="/api", tags=["data"])

    @router.delete("/people")
    async def erase_person(body: PersonToErase) -> ErasureView:
        """Take a person out of all sessions: their names, their words, and their audio.

        Who they are is in the body, because addresses are logged on their way.
        """
        person = Person(body.participant_id, body.email, body.name)
        return erasure_view(await sessions.erase_person(person, body.audio))

    @router.get("/erasures")
    async def erasures(
        limit: Limit = DEFAULT_PAGE,
        before: Annotated[int | None, Query(ge=1, le=MAX_INTEGER)] = None,
    ) -> ErasurePage:
        """What was erased: sessions, people, and sessions past their retention."""
        receipts = await archive.receipts(limit + 1, before)
        items = [erasure_view(one) for one in receipts[:limit]]
        more = len(receipts) > limit
        return ErasurePage(items=items, next_before=items[-1].erasure_id if more else None)

    return router
