"""docs/protocols.md, kept word for word by the service: the routes around bots and viewers."""

import re
from typing import Any

import pytest

from tests.acceptance.protocol_values import (
    FRAME,
    MOMENT,
    send_silence,
)
from tests.acceptance.raw_client import (
    Json,
    Service,
)
from tests.service import RunningService


async def test_a_session_is_created_once(service: Service) -> None:
    body = {"session_id": "pc-create", "title": "Weekly", "language": "en", "unknown": 1}
    first = await service.ask("POST", "/api/sessions", body)
    again = await service.ask("POST", "/api/sessions", body)
    other = await service.ask("POST", "/api/sessions", {**body, "title": "Other"})

    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.json["status"] == "created"
    host = service.url.removeprefix("http://")
    assert first.json["ingest_url"] == f"ws://{host}/ws/ingest/pc-create"
    assert first.json["live_url"] == f"ws://{host}/ws/live/pc-create"
    assert re.fullmatch(MOMENT, first.json["created_at"])
    assert other.problem() == (409, "session_conflict")


async def test_a_session_without_an_id_gets_one(service: Service) -> None:
    made = [(await service.ask("POST", "/api/sessions", {})).json["session_id"] for _ in range(2)]
    assert made[0] != made[1]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in made)


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/api/sessions/pc-none", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/transcript", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/coverage", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/events", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/participants", None, (404, "unknown_session")),
        ("GET", "/api/sessions/pc-none/recording?stream=0", None, (404, "unknown_session")),
        ("POST", "/api/sessions/pc-none/end", None, (404, "unknown_session")),
        ("DELETE", "/api/sessions/pc-none", None, (404, "unknown_session")),
        ("GET", "/api/nothing", None, (404, "not_found")),
        ("PUT", "/api/sessions", None, (405, "method_not_allowed")),
        ("GET", "/api/tickets", None, (405, "method_not_allowed")),
        ("POST", "/api/sessions", {"session_id": "no spaces"}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"session_id": "x" * 65}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"language": "English"}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"target_languages": ["pt"] * 17}, (422, "invalid_request")),
        ("POST", "/api/sessions", {"settings": {"chunk_ms": 1}}, (400, "bad_request")),
        ("POST", "/api/sessions", [], (422, "invalid_request")),
        ("POST", "/api/sessions", {"title": "x" * 65_536}, (413, "too_large")),
        ("GET", "/api/sessions?limit=201", None, (422, "invalid_request")),
        ("GET", "/api/sessions?status=asleep", None, (422, "invalid_request")),
        ("GET", "/api/sessions?cursor=nonsense", None, (400, "bad_request")),
    ],
)
async def test_a_wrong_request_is_a_problem(
    service: Service, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    assert (await service.ask(method, path, body)).problem() == expected


async def test_a_body_that_is_not_json_is_a_problem(service: Service) -> None:
    answer = await service.ask(
        "POST", "/api/sessions", data=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.problem() == (422, "invalid_request")


async def test_sessions_page_newest_first(service: Service) -> None:
    made = [f"pc-page-{number}" for number in range(5)]
    for session_id in made:
        await service.create(session_id)
    listed: list[Json] = []
    query = "?status=created&status=failed&limit=2"
    while True:
        page = await service.get(f"/api/sessions{query}")
        listed += page["items"]
        if page["next_cursor"] is None:
            break
        query = f"?status=created&status=failed&limit=2&cursor={page['next_cursor']}"
    ids = [one["session_id"] for one in listed]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if one in made] == made[::-1]
    times = [one["created_at"] for one in listed]
    assert times == sorted(times, reverse=True)
    assert {one["status"] for one in listed} <= {"created", "failed"}


async def test_a_session_is_ended_where_it_is(service: Service) -> None:
    await service.create("pc-end")
    async with service.ingest("pc-end") as bot:
        await bot.greeted()
        await send_silence(bot, 0, 2)
        await bot.acked(2)
        answer = await service.ask("POST", "/api/sessions/pc-end/end")
        assert (answer.status, answer.json["session_id"]) == (200, "pc-end")
        assert (await bot.ended())[0]["duration"] == 3 * FRAME
    statuses = [one["status"] for one in await service.events("pc-end") if "status" in one]
    assert statuses == ["active", "ending", "completed"]


async def test_nothing_lost_is_nothing_to_repair(service: Service) -> None:
    answer = await service.ask("POST", "/api/sessions/pc-end/repair")
    assert (answer.status, answer.json) == (202, {"session_id": "pc-end", "ranges": 0})
    assert await service.status_is("pc-end", "completed")


async def test_deleting_removes_rows_and_files(service: Service, running: RunningService) -> None:
    recordings = running.data_dir / "recordings"
    assert list(recordings.rglob("*pc-end*")) != []
    assert (await service.ask("DELETE", "/api/sessions/pc-end")).status == 200

    for part in ("", "/transcript", "/coverage", "/events", "/participants"):
        answer = await service.ask("GET", f"/api/sessions/pc-end{part}")
        assert answer.problem() == (404, "unknown_session")
    assert (await service.knock("/ws/ingest/pc-end")).problem() == (404, "unknown_session")
    assert (await service.knock("/ws/live/pc-end")).problem() == (404, "unknown_session")
    assert list(recordings.rglob("*pc-end*")) == []
    assert (await service.ask("DELETE", "/api/sessions/pc-end")).problem()[0] == 404
    recreated = await service.create("pc-end")
    assert recreated["status"] == "created"
    assert await service.events("pc-end") == []
