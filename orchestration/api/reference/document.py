"""Puts the document together: the routes' types, and the entries of the modules beside this one."""

import http
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import FastAPI

from orchestration.api.openai_errors import OPENAI_PREFIX, openai_error
from orchestration.api.problems import PROBLEM_MEDIA_TYPE, ProblemView
from orchestration.api.reference import (
    access,
    audio,
    gateway,
    health,
    sessions,
    settings,
    speakers,
    stored_data,
    timing,
)
from orchestration.api.reference.operation import Operation, Operations
from orchestration.errors import (
    BadRequest,
    BodyTooSlow,
    NotAllowed,
    NotAuthenticated,
    OrchestrationError,
    TooLarge,
    Unavailable,
)
from orchestration.json_types import JsonObject

OPERATIONS: Final[Operations] = {
    **access.OPERATIONS,
    **audio.OPERATIONS,
    **gateway.OPERATIONS,
    **health.OPERATIONS,
    **sessions.OPERATIONS,
    **settings.OPERATIONS,
    **speakers.OPERATIONS,
    **stored_data.OPERATIONS,
    **timing.OPERATIONS,
}
PARAMETERS: Final[JsonObject] = {
    "session_id": "weekly",
    "job_id": "weekly.0",
    "path": "languages",
    "q": "begin",
    "stream": 0,
}
"""Examples of parameters by name; those that are not here have a default or may be left out."""

OPEN_OPERATIONS: Final = frozenset({"GET /api/health"})
"""Those that want no key."""

_SCHEMAS_REPLACED = ("HTTPValidationError", "ValidationError")
_PROBLEM_SCHEMA = {"$ref": "#/components/schemas/ProblemView"}
_OPENAI_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


class DocumentedApi(FastAPI):
    """A FastAPI application whose document is whole."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            complete(document)
            self.openapi_schema = document
        return self.openapi_schema


def complete(document: dict[str, Any]) -> None:
    """Add summaries, examples, problems and keys to what FastAPI makes of the routes."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _SCHEMAS_REPLACED:
        schemas.pop(name, None)
    schemas["ProblemView"] = ProblemView.model_json_schema()
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "ORCHESTRATION_API_KEY, where the service was started with one.",
        }
    }
    document["security"] = [{"key": []}]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            entry = OPERATIONS.get(name)
            if name in OPEN_OPERATIONS:
                operation["security"] = []
            _add_parameters(operation)
            _add_problems(name, operation, entry)
            if entry is not None:
                operation["summary"] = entry.summary
                _add_examples(operation, entry)


def _add_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        example = PARAMETERS.get(parameter["name"])
        if example is not None and parameter.get("required"):
            parameter.setdefault("example", example)


def _add_examples(operation: dict[str, Any], entry: Operation) -> None:
    if entry.body is not None:
        for media in operation["requestBody"]["content"].values():
            media["example"] = entry.body
    for (status, media_type), example in entry.answers.items():
        answer = operation["responses"].setdefault(status, {"description": "As it comes"})
        answer.setdefault("content", {}).setdefault(media_type, {})["example"] = example
    for answer in operation["responses"].values():
        media = answer.get("content", {}).get("application/json")
        if media is not None and entry.answer is not None:
            media.setdefault("example", entry.answer)


def _add_problems(name: str, operation: dict[str, Any], entry: Operation | None) -> None:
    own = entry.problems if entry is not None else ()
    responses = operation["responses"]
    responses.pop("422", None)
    found: dict[str, dict[str, JsonObject]] = {}
    for number, code, detail in _problems(name, operation, own):
        found.setdefault(str(number), {})[code] = _example(number, code, detail)
    for status, examples in found.items():
        answer = responses.setdefault(status, {"description": http.HTTPStatus(int(status)).phrase})
        content: dict[str, Any] = {}
        answer["content"] = content
        if name.partition(" ")[2].startswith(OPENAI_PREFIX):
            example = openai_error(next(iter(examples.values())))
            content["application/json"] = {"schema": _OPENAI_ERROR, "example": example}
            continue
        content[PROBLEM_MEDIA_TYPE] = {
            "schema": _PROBLEM_SCHEMA,
            "examples": {code: {"value": example} for code, example in examples.items()},
        }
    operation["responses"] = dict(sorted(responses.items()))


def _problems(
    name: str, operation: dict[str, Any], own: Iterable[type[OrchestrationError]]
) -> Iterator[tuple[int, str, str]]:
    errors = [*own]
    if name not in OPEN_OPERATIONS:
        errors += [NotAuthenticated, NotAllowed, Unavailable]
    if not name.startswith("GET"):
        errors += [BadRequest, TooLarge, BodyTooSlow]
    for error in dict.fromkeys(errors):
        yield error.http_status, error.code, (error.__doc__ or "").partition("\n")[0]
    if "requestBody" in operation or operation.get("parameters"):
        yield 422, "invalid_request", "The request is not as documented."
    yield 500, "internal_error", "Something unexpected went wrong; it was logged."


def _example(status: int, code: str, detail: str) -> JsonObject:
    example: JsonObject = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if code == "invalid_request":
        example["errors"] = [{"field": "query.limit", "message": "Input should be a number"}]
    return example
