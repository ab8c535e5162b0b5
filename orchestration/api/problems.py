"""Errors as RFC 9457 problem bodies, for HTTP and for WebSockets refused before the upgrade."""

import http
import json

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.errors import OrchestrationError
from orchestration.json_types import JsonObject

PROBLEM_MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_VALIDATION_ERRORS = 20
"""A body with more mistakes is told of the first ones only."""

_log = structlog.get_logger(__name__)


class ProblemView(BaseModel):
    """A problem (application/problem+json); facts of the error are further members."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str


class ProblemResponse(JSONResponse):
    media_type = PROBLEM_MEDIA_TYPE

    def render(self, content: JsonObject) -> bytes:
        """UTF-8; what a caller sent and is told of may hold half a surrogate pair."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )


def problem(status: int, code: str, detail: str, facts: JsonObject | None = None) -> Response:
    """One problem. `code` and `facts` are extension members; facts never hide a standard one."""
    body: JsonObject = (facts or {}) | {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return ProblemResponse(body, status_code=status)


def problem_for(error: OrchestrationError) -> Response:
    """The problem that a named error is."""
    response = problem(error.http_status, error.code, error.message, error.facts)
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.http_status == 408:
        # What is left of the body is not read, so that nothing can follow it (RFC 9110, 15.5.9).
        response.headers["Connection"] = "close"
    if error.http_status == 503:
        response.headers["Retry-After"] = "1"
    return response


def unexpected_problem() -> Response:
    """What the world sees of an error that nobody foresaw."""
    return problem(500, "internal_error", "Something unexpected went wrong; it was logged.")


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error that a route raises a problem body."""

    async def on_named(request: Request, error: Exception) -> Response:
        assert isinstance(error, OrchestrationError)
        if error.http_status >= 500:
            _log.warning("request_failed", code=error.code, path=request.url.path)
        return problem_for(error)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        mistakes: JsonObject = {
            "errors": [
                {"field": ".".join(str(part) for part in one["loc"]), "message": str(one["msg"])}
                for one in error.errors()[:MAX_VALIDATION_ERRORS]
            ]
        }
        return problem(422, "invalid_request", "The request is not as documented.", mistakes)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        phrase = http.HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        response = problem(error.status_code, code, str(error.detail))
        response.headers.update(error.headers or {})
        allowed = _allowed_methods(app, request) if error.status_code == 405 else ""
        if allowed:
            response.headers["Allow"] = allowed
        return response

    app.add_exception_handler(OrchestrationError, on_named)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)


def _allowed_methods(app: FastAPI, request: Request) -> str:
    """All methods of a path; a single route knows only its own (RFC 9110, 15.5.6)."""
    allowed = [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in app.router.routes
        )
    ]
    # A mounted application takes every method, and names its own.
    return "" if request.method in allowed else ", ".join(allowed)


def for_http_only(app: ASGIApp) -> ASGIApp:
    """`app`, and what a WebSocket is told that comes to it: nothing is opened there."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            refusal = problem(404, "not_found", "There is no WebSocket at this path.")
            await refusal(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer


def without_a_route(router: Router) -> ASGIApp:
    """What is answered where the router has no route: to who comes to a WebSocket's path by plain
    HTTP, that it is one."""
    nothing_here = for_http_only(router.not_found)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        upgraded = {**scope, "type": "websocket"}
        if scope["type"] == "http" and any(
            route.matches(upgraded)[0] is Match.FULL for route in router.routes
        ):
            upgrade = problem(426, "upgrade_required", "This path is a WebSocket's.")
            # The two belong together (RFC 9110, 7.8).
            upgrade.headers.update({"Upgrade": "websocket", "Connection": "Upgrade"})
            await upgrade(scope, receive, send)
        else:
            await nothing_here(scope, receive, send)

    return answer


class UnexpectedErrors:
    """Logs an error that nobody foresaw, once, and answers without its internals."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except OrchestrationError as error:
            if started:
                raise
            await problem_for(error)(scope, receive, send)
        except Exception:
            if scope["type"] != "http":
                raise
            _log.exception("unexpected_error", path=scope["path"])
            if not started:
                await unexpected_problem()(scope, receive, send)
