"""Errors below `/v1/` as OpenAI's clients understand them.

Inside the service every error is a problem (RFC 9457), whichever part found it: the key, a limit,
the router, a route. Here the problem's facts take OpenAI's form, so that its clients raise the
right exception and show the sentence.
https://platform.openai.com/docs/guides/error-codes
"""

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.api.problems import PROBLEM_MEDIA_TYPE
from orchestration.json_types import JsonObject

OPENAI_PREFIX = "/v1/"
KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
RETRY_AFTER_S = 1
"""Told with a 429 or 503 that does not say itself when to come back."""


def openai_error(problem: JsonObject) -> JsonObject:
    """A problem's facts in OpenAI's form."""
    status = problem["status"]
    assert isinstance(status, int)
    kind = "server_error" if status >= 500 else KINDS.get(status, "invalid_request_error")
    return {
        "error": {
            "message": problem["detail"],
            "type": kind,
            "param": problem.get("param"),
            "code": problem["code"],
        }
    }


class OpenAIErrors:
    """Middleware: rewrites the problems that answer requests for OpenAI's routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(OPENAI_PREFIX):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def send_as_openai(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                written = json.dumps(openai_error(json.loads(body)), ensure_ascii=False).encode()
                await send(_with_headers(start, len(written)))
                await send({"type": "http.response.body", "body": written})

        await self._app(scope, receive, send_as_openai)


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type") == PROBLEM_MEDIA_TYPE


def _with_headers(start: Message, length: int) -> Message:
    headers = MutableHeaders(scope=start)
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = str(length)
    if start["status"] in (429, 503):
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return start
