"""HTTP: settings changed while the service runs, and what became of them before."""

import asyncio
from typing import Annotated

import yaml
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from orchestration.api.access import bearer_key
from orchestration.api.settings_views import ChangeView, changes
from orchestration.api.yaml_body import read_yaml
from orchestration.config.differences import without_secrets
from orchestration.config.versions import SettingsVersion
from orchestration.errors import BadRequest
from orchestration.services.settings_desk import SettingsChange, SettingsControl
from orchestration.session.events import iso_utc
from orchestration.session.fields import MAX_INTEGER

YAML_TYPE = "application/yaml"
MAX_COMMENT_CHARACTERS = 500
MAX_PLACES = 200
MAX_VERSIONS_AT_ONCE = 200
VERSIONS_AT_ONCE = 50

Number = Annotated[int | None, Query(ge=0, le=MAX_INTEGER)]
IfMatch = Annotated[
    str | None,
    Header(description="The version looked at: its ETag."),
    WithJsonSchema(
        {"type": "string", "pattern": r'^([*]|(W/)?"?[0-9]{1,18}"?)$', "example": '"3"'}
    ),
]
Comment = Annotated[str, Field(max_length=MAX_COMMENT_CHARACTERS)]
Expected = Annotated[
    int | None, Field(ge=0, le=MAX_INTEGER, description="The version looked at, as `If-Match`.")
]


class SettingsPatch(BaseModel):
    """A JSON merge patch of what is stored over file and environment; null takes a value away."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "settings": {"sessions": {"chunking": {"chunk_ms": 5000}}},
                "comment": "fewer requests",
                "version": 3,
            }
        }
    )

    settings: dict[str, JsonValue]
    comment: Comment = ""
    version: Expected = None


class SettingsReset(BaseModel):
    """What to take away of what is stored: dotted places with all below them; without, all."""

    settings: list[str] | None = Field(None, min_length=1, max_length=MAX_PLACES)
    comment: Comment = ""
    version: Expected = None


class SettingsRollback(BaseModel):
    """The version whose stored settings are to hold again; 0 is before the first."""

    to: int = Field(ge=0, le=MAX_INTEGER)
    comment: Comment = ""
    version: Expected = None


class VersionView(BaseModel):
    """One version of the settings: who changed what, and when. Secrets are hidden."""

    version: int
    changed_by: str
    changed_at: str
    comment: str
    updated: list[str]
    changes: list[ChangeView]


class VersionsView(BaseModel):
    """Versions, newest first; `next_before` is where the next page starts, null at the end."""

    items: list[VersionView]
    next_before: int | None


def settings_changes_router(control: SettingsControl) -> APIRouter:
    """`POST /api/config` and `/api/settings`, and what else changes settings or tells of it."""
    router = APIRouter(prefix="/api", tags=["configuration"])

    @router.post("/config")
    @router.post("/settings")
    async def patch(
        body: SettingsPatch, request: Request, response: Response, if_match: IfMatch = None
    ) -> VersionView:
        """Change settings: all of them, or none and 422 with every fault.

        Sessions, replicas and supervisors go on with them within a second. Settings that take a
        restart, and secrets, are refused: they belong into the file or the environment.
        """
        change = SettingsChange(
            changed_by(request),
            patch=body.settings,
            expected=_expected(body.version, if_match),
            comment=body.comment,
        )
        return await _carried_out(control, change, response)

    @router.post("/settings/reset")
    async def reset(
        body: SettingsReset, request: Request, response: Response, if_match: IfMatch = None
    ) -> VersionView:
        """Go back to what file and environment say, for some settings or all."""
        change = SettingsChange(
            changed_by(request),
            reset=tuple(body.settings or ()),
            expected=_expected(body.version, if_match),
            comment=body.comment,
        )
        return await _carried_out(control, change, response)

    @router.post("/settings/rollback")
    async def rollback(
        body: SettingsRollback, request: Request, response: Response, if_match: IfMatch = None
    ) -> VersionView:
        """Store again what an earlier version stored, as a version of its own."""
        change = SettingsChange(
            changed_by(request),
            rollback=body.to,
            expected=_expected(body.version, if_match),
            comment=body.comment,
        )
        return await _carried_out(control, change, response)

    @router.get("/settings/history")
    async def history(
        before: Number = None,
        limit: Annotated[int, Query(ge=1, le=MAX_VERSIONS_AT_ONCE)] = VERSIONS_AT_ONCE,
    ) -> VersionsView:
        """Who changed what, newest first: pages of `limit`, each `before` the last."""
        page, next_before = await control.history(before, limit)
        return VersionsView(items=[_view(one) for one in page], next_before=next_before)

    _add_files(router, control)
    return router


def _add_files(router: APIRouter, control: SettingsControl) -> None:
    @router.post(
        "/settings/import",
        openapi_extra={"requestBody": {"content": {YAML_TYPE: {"schema": {"type": "object"}}}}},
    )
    async def take_in(
        request: Request,
        response: Response,
        if_match: IfMatch = None,
        comment: Annotated[str, Query(max_length=MAX_COMMENT_CHARACTERS)] = "",
    ) -> VersionView:
        """Have a YAML file's settings, and no others, stored over file and environment."""
        values = await asyncio.to_thread(read_yaml, await request.body())
        change = SettingsChange(
            changed_by(request),
            replacement=values,
            expected=_expected(None, if_match),
            comment=comment,
        )
        return await _carried_out(control, change, response)

    @router.get("/settings/export", response_class=Response)
    async def export(whole: Annotated[bool, Query(alias="all")] = False) -> Response:
        """What is stored over file and environment, as YAML; with `all` everything that holds."""
        state = await control.state()
        values = without_secrets(state.settings) if whole else state.overrides
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        headers = {
            "ETag": f'"{state.version}"',
            "Content-Disposition": 'attachment; filename="orchestration.yaml"',
        }
        return Response(text, media_type=YAML_TYPE, headers=headers)


async def _carried_out(
    control: SettingsControl, change: SettingsChange, response: Response
) -> VersionView:
    version = await control.change(change)
    response.headers["ETag"] = f'"{version.number}"'
    return _view(version)


def changed_by(request: Request) -> str:
    """Who asks, as far as that is known: by a key, a signed-in browser, and from where."""
    address = request.client.host if request.client else "unknown address"
    if bearer_key(request.headers) is not None:
        return f"key from {address}"
    return f"browser at {address}" if "cookie" in request.headers else address


def _expected(version: int | None, if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return version
    number = if_match.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise BadRequest('If-Match must be a version\'s ETag, as in "3".', {"field": "If-Match"})
    if version not in (None, int(number)):
        raise BadRequest("If-Match and version must agree.", {"field": "version"})
    return int(number)


def _view(version: SettingsVersion) -> VersionView:
    return VersionView(
        version=version.number,
        changed_by=version.changed_by,
        changed_at=iso_utc(version.changed_unix_ms),
        comment=version.comment,
        updated=[one.place for one in version.differences],
        changes=changes(version.differences),
    )
