"""`/docs` says what the OpenAPI document says: examples and problems too."""

import json
from html import unescape
from typing import Any

from orchestration.api.reference_page import reference_page

SESSION = {"session_id": "weekly", "title": "<script>alert('né')</script>"}
API: dict[str, Any] = {
    "info": {"title": "Orchestration", "version": "1"},
    "paths": {
        "/api/sessions": {
            "post": {
                "tags": ["sessions"],
                "description": "Creates one.",
                "parameters": [
                    {
                        "name": "q",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "string"},
                        "example": "begin",
                    }
                ],
                "requestBody": {
                    "content": {"application/json": {"schema": {}, "example": SESSION}}
                },
                "responses": {
                    "201": {
                        "description": "Made",
                        "content": {"application/json": {"schema": {}, "example": [SESSION]}},
                    },
                    "200": {
                        "description": "Stream",
                        "content": {"text/event-stream": {"example": "id: 12\nevent: raised"}},
                    },
                    "404": {
                        "description": "Not Found",
                        "content": {
                            "application/problem+json": {
                                "schema": {"$ref": "#/components/schemas/ProblemView"},
                                "examples": {
                                    "unknown_session": {"value": {"detail": "No session."}},
                                    "no_recording": {"value": {"detail": "No audio."}},
                                },
                            }
                        },
                    },
                },
            }
        }
    },
}
PAGE = reference_page(API)


def test_examples_of_requests_and_answers_are_shown_and_run_nothing() -> None:
    shown = unescape(PAGE)
    assert json.dumps(SESSION, ensure_ascii=False, indent=1) in shown
    assert json.dumps([SESSION], ensure_ascii=False, indent=1) in shown
    assert "id: 12\nevent: raised" in shown
    assert "begin" in shown
    assert "<script" not in PAGE


def test_every_problem_is_named_by_its_code() -> None:
    for code, detail in (("unknown_session", "No session."), ("no_recording", "No audio.")):
        assert f"<code>{code}</code> {detail}" in PAGE
