"""HTTP: sessions."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from orchestration.api.erasure_views import ErasureView, erasure_view
from orchestration.api.ports import Sessions
from orchestration.api.session_ids import SESSION_ID_PATTERN, SessionId, new_session_id
from orchestration.api.setting_schemas import OVERRIDES_SCHEMA
from orchestration.audio.presets import all_stages
from orchestration.config.current import CurrentSettings
from orchestration.config.models import ChunkingSettings
from orchestration.config.versions import merge_patched
from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject
from orchestration.session.events import iso_utc
from orchestration.session.fields import clean_name
from orchestration.session.status import SessionStatus
from orchestration.storage.archive_ports import Archive
from orchestration.storage.values import SessionRow, SessionSpec

MAX_TITLE_CHARACTERS = 500
MAX_MEETING_ID_CHARACTERS = 255
MAX_TARGET_LANGUAGES = 16
MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_CURSOR_CHARACTERS = 200

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
"""An ISO 639 code, lower case."""
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)]


class CreateSession(BaseModel):
    """A session to create; unknown fields are ignored."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "example": {"title": "Weekly", "language": "en", "target_languages": ["pt"]}
        },
    )

    session_id: Annotated[str, StringConstraints(pattern=SESSION_ID_PATTERN)] | None = None
    meeting_id: str | None = Field(None, min_length=1, max_length=MAX_MEETING_ID_CHARACTERS)
    title: str | None = Field(None, max_length=MAX_TITLE_CHARACTERS)
    language: Language | None = Field(None, description="The language spoken, if it is known.")
    target_languages: list[Language] = Field([], max_length=MAX_TARGET_LANGUAGES)
    settings: Annotated[dict[str, JsonValue], WithJsonSchema(OVERRIDES_SCHEMA)] = {}


class ConfigureSession(BaseModel):
    """What to change of a session's own settings, and of its languages; what is left out stays."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "example": {"settings": {"chunk_ms": 6000}, "language": "pt", "target_languages": []}
        },
    )

    settings: dict[str, JsonValue] = {}
    language: Language | None = Field(None, description="Null has each stream's language heard.")
    target_languages: list[Language] = Field([], max_length=MAX_TARGET_LANGUAGES)


class SessionView(BaseModel):
    """A session and where to reach it."""

    session_id: str
    status: SessionStatus
    status_detail: str | None
    meeting_id: str | None
    title: str | None
    language: str | None
    target_languages: list[str]
    settings: dict[str, JsonValue]
    created_at: str
    ended_at: str | None
    ingest_url: str
    live_url: str


class SessionPage(BaseModel):
    """Sessions, newest first; `next_cursor` asks for the following ones."""

    items: list[SessionView]
    next_cursor: str | None


class RepairView(BaseModel):
    """How many lost ranges are being heard again."""

    session_id: str
    ranges: int


def session_json(row: SessionRow, scheme: str, host: str) -> JsonObject:
    """A session's wire form. `scheme` and `host` are those by which the caller came."""
    secure = "s" if scheme in ("https", "wss") else ""
    session_id = row.spec.session_id
    return {
        "session_id": session_id,
        "status": row.status,
        "status_detail": row.status_detail,
        "meeting_id": row.spec.meeting_id,
        "title": row.spec.title,
        "language": row.spec.language,
        "target_languages": list(row.spec.target_languages),
        "settings": row.spec.settings,
        "created_at": _iso(row.created_at),
        "ended_at": _iso(row.ended_at) if row.ended_at else None,
        "ingest_url": f"ws{secure}://{host}/ws/ingest/{session_id}",
        "live_url": f"ws{secure}://{host}/ws/live/{session_id}",
    }


def _iso(moment: datetime) -> str:
    return iso_utc(int(moment.timestamp() * 1000))


def check_overrides(overrides: JsonObject, defaults: ChunkingSettings) -> None:
    """Raises BadRequest unless the service's chunking with these overrides is valid, and so is
    `audio`, the stages before whisper."""
    chunking = {name: value for name, value in overrides.items() if name != "audio"}
    if "audio" in overrides:
        all_stages(overrides["audio"])
    try:
        ChunkingSettings.model_validate({**defaults.model_dump(), **chunking}, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(["settings", *(str(part) for part in first["loc"])])
        raise BadRequest(f"{field}: {first['msg']}.", {"field": field}) from None


def _spec(body: CreateSession, defaults: ChunkingSettings) -> SessionSpec:
    overrides: JsonObject = dict(body.settings)
    check_overrides(overrides, defaults)
    return SessionSpec(
        session_id=body.session_id or new_session_id(),
        meeting_id=clean_name(body.meeting_id) if body.meeting_id else None,
        title=clean_name(body.title) if body.title else None,
        language=body.language,
        target_languages=tuple(dict.fromkeys(body.target_languages)),
        settings=overrides,
    )


def _changed(spec: SessionSpec, body: ConfigureSession) -> SessionSpec:
    """The description with what the body names; what it leaves out stays."""
    named = body.model_fields_set
    targets = tuple(dict.fromkeys(body.target_languages))
    return replace(
        spec,
        settings=merge_patched(spec.settings, body.settings),
        language=body.language if "language" in named else spec.language,
        target_languages=targets if "target_languages" in named else spec.target_languages,
    )


def sessions_router(sessions: Sessions, archive: Archive, current: CurrentSettings) -> APIRouter:
    """`/api/sessions`."""
    router = APIRouter(prefix="/api/sessions", tags=["sessions"])

    def view(row: SessionRow, request: Request) -> SessionView:
        host = request.headers.get("host", "localhost")
        return SessionView.model_validate(session_json(row, request.url.scheme, host))

    @router.post(
        "", status_code=201, responses={200: {"model": SessionView, "description": "Known already"}}
    )
    async def create(body: CreateSession, request: Request, response: Response) -> SessionView:
        """Create a session. The same id with the same body finds it again, with 200."""
        row, created = await sessions.create(_spec(body, current.now.sessions.chunking))
        response.status_code = 201 if created else 200
        response.headers["Location"] = f"/api/sessions/{row.spec.session_id}"
        return view(row, request)

    @router.get("")
    async def page(
        request: Request,
        status: Annotated[list[SessionStatus] | None, Query()] = None,
        limit: Limit = DEFAULT_PAGE,
        cursor: Cursor = None,
    ) -> SessionPage:
        """Sessions, newest first, of any of the statuses given."""
        rows = await archive.sessions(status, limit, cursor)
        return SessionPage(
            items=[view(row, request) for row in rows.items], next_cursor=rows.next_cursor
        )

    @router.get("/{session_id}")
    async def one(session_id: SessionId, request: Request) -> SessionView:
        """One session."""
        return view(await archive.session(session_id), request)

    @router.patch("/{session_id}")
    async def configure(
        session_id: SessionId, body: ConfigureSession, request: Request
    ) -> SessionView:
        """Change a running session's own settings and languages, all of it or nothing.

        `settings` is a JSON merge patch: null takes a value away. Each stream takes them, and the
        language, up with its next chunk; no word is lost by it. Lines that are final already are
        translated to languages that come to `target_languages`, behind those of now.
        """

        def change(spec: SessionSpec) -> SessionSpec:
            changed = _changed(spec, body)
            check_overrides(changed.settings, current.now.sessions.chunking)
            return changed

        return view(await sessions.configure(session_id, change), request)

    @router.post("/{session_id}/end")
    async def end(session_id: SessionId, request: Request) -> SessionView:
        """End a session as if its sender had said `end`; it completes when all is stored."""
        return view(await sessions.end(session_id), request)

    @router.post("/{session_id}/repair", status_code=202)
    async def repair(session_id: SessionId) -> RepairView:
        """Send lost audio that is still held to whisper again; what is heard comes as events."""
        return RepairView(session_id=session_id, ranges=await sessions.repair(session_id))

    @router.delete("/{session_id}")
    async def delete(session_id: SessionId) -> ErasureView:
        """Remove a session, all its rows and files; one that runs is ended first."""
        return erasure_view(await sessions.delete(session_id))

    return router
