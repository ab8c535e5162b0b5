"""The HTTP API over its doubles: sessions, problems, pages."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestration.errors import DatabaseUnavailable
from orchestration.json_types import JsonObject
from tests.doubles.api_server import ApiServer


async def test_a_session_is_created_with_the_addresses_to_use(server: ApiServer) -> None:
    body = {"title": "Weekly", "language": "en", "target_languages": ["pt", "pt"], "later": 1}
    status, session = await server.json("POST", "/api/sessions", json=body)

    assert status == 201
    session_id = session["session_id"]
    assert session["status"] == "created"
    assert session["target_languages"] == ["pt"]
    assert session["ingest_url"] == f"ws://{server.host}/ws/ingest/{session_id}"
    assert session["live_url"] == f"ws://{server.host}/ws/live/{session_id}"
    assert await server.json("GET", f"/api/sessions/{session_id}") == (200, session)


async def test_the_same_session_again_is_found_and_another_is_a_conflict(
    server: ApiServer,
) -> None:
    body = {"session_id": "s1", "title": "Weekly"}
    first = await server.json("POST", "/api/sessions", json=body)
    again = await server.json("POST", "/api/sessions", json=body)
    other = await server.json("POST", "/api/sessions", json=body | {"title": "Daily"})

    assert (first[0], again) == (201, (200, first[1]))
    assert (other[0], other[1]["code"]) == (409, "session_conflict")


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_id": "a b"},
        {"session_id": ""},
        {"session_id": "a" * 65},
        {"session_id": "s1\n"},
        {"session_id": 7},
        {"title": "a" * 501},
        {"meeting_id": "a" * 256},
        {"language": "english"},
        {"target_languages": ["pt"] * 17},
        {"target_languages": "pt"},
        {"settings": 7},
    ],
)
async def test_a_wrong_session_is_a_problem_that_names_the_field(
    server: ApiServer, wrong: JsonObject
) -> None:
    status, problem = await server.json("POST", "/api/sessions", json=wrong)

    assert (status, problem["status"], problem["code"]) == (422, 422, "invalid_request")
    errors: Any = problem["errors"]
    assert next(iter(wrong)) in errors[0]["field"]


@pytest.mark.parametrize(
    "settings",
    [{"chunk_ms": "long"}, {"chunk_ms": 1}, {"speed": 3}, {"overlap_ms": 4000}],
)
async def test_wrong_settings_of_a_session_are_refused(
    server: ApiServer, settings: JsonObject
) -> None:
    status, problem = await server.json("POST", "/api/sessions", json={"settings": settings})

    assert (status, problem["code"]) == (400, "bad_request")


async def test_settings_of_a_session_are_kept(server: ApiServer) -> None:
    _, session = await server.json("POST", "/api/sessions", json={"settings": {"chunk_ms": 6000}})

    assert session["settings"] == {"chunk_ms": 6000}


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"{", 422), (b"[" * 60_000, 400), (b"\xff", 400), (b" " * 65_537, 413)],
)
async def test_a_body_that_is_no_session_is_a_problem(
    server: ApiServer, data: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    answer, problem = await server.json("POST", "/api/sessions", data=data, headers=headers)

    assert answer == status == problem["status"]


async def test_an_endless_body_is_cut_at_its_limit(server: ApiServer) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(10_000)

    status, problem = await server.json("POST", "/api/sessions", data=endless())

    assert (status, problem["limit"]) == (413, "max_body_bytes")


async def test_sessions_page_newest_first(server: ApiServer) -> None:
    for number in range(5):
        await server.session(f"s{number}")
    (await server.session("done")).complete()
    _, page = await server.json("GET", "/api/sessions?status=created&limit=3")
    _, rest = await server.json(
        "GET", f"/api/sessions?status=created&limit=3&cursor={page['next_cursor']}"
    )

    items: Any = page["items"], rest["items"]
    assert [[one["session_id"] for one in each] for each in items] == [
        ["s4", "s3", "s2"],
        ["s1", "s0"],
    ]
    assert rest["next_cursor"] is None


async def test_a_session_is_ended_and_deleted(server: ApiServer) -> None:
    await server.session()
    status, session = await server.json("POST", "/api/sessions/s1/end")
    assert (status, session["status"]) == (200, "ending")
    assert (await server.json("DELETE", "/api/sessions/s1"))[0] == 200
    assert (await server.json("GET", "/api/sessions/s1"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/end"),
        ("GET", "/transcript"),
        ("GET", "/transcript?format=srt"),
        ("GET", "/coverage"),
        ("GET", "/recording?stream=0"),
        ("GET", "/events"),
        ("GET", "/participants"),
    ],
)
@pytest.mark.parametrize("session_id", ["nobody", "%00", "a" * 65])
async def test_an_unknown_session_is_a_problem_everywhere(
    server: ApiServer, method: str, path: str, session_id: str
) -> None:
    status, problem = await server.json(method, f"/api/sessions/{session_id}{path}")

    assert (status, problem["code"]) == (404, "unknown_session")


async def test_a_database_that_is_away_is_a_503(server: ApiServer) -> None:
    server.archive.outage = DatabaseUnavailable("PostgreSQL does not answer.")
    status, problem = await server.json("GET", "/api/sessions/s1")

    assert (status, problem["code"]) == (503, "database_unavailable")


async def test_an_unforeseen_error_is_a_500_without_its_internals(server: ApiServer) -> None:
    server.archive.outage = RuntimeError("secret")
    status, problem = await server.json("GET", "/api/sessions/s1")

    assert (status, problem["code"]) == (500, "internal_error")
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("PUT", "/api/health", 405, "method_not_allowed")],
)
async def test_what_is_not_there_is_a_problem(
    server: ApiServer, method: str, path: str, status: int, code: str
) -> None:
    async with server.client.request(method, server.url + path) as response:
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = await response.json(content_type=None)

    assert (problem["status"], problem["code"]) == (status, code)


async def test_half_a_surrogate_pair_in_what_is_refused_is_no_error_of_ours(
    server: ApiServer,
) -> None:
    body = b'{"preset": "default", "stages": {"\\ud800": 1}}'
    headers = {"Content-Type": "application/json"}
    status, problem = await server.json("POST", "/api/audio/config", data=body, headers=headers)
    assert (status, problem["code"]) == (400, "bad_request")


async def test_a_405_names_every_method_of_its_path(server: ApiServer) -> None:
    async with server.client.patch(server.url + "/api/sessions") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize("path", ["/", "/try", "/static/app.js", "/docs", "/openapi.json"])
async def test_pages_come_with_their_security_headers(server: ApiServer, path: str) -> None:
    async with server.client.get(server.url + path) as response:
        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_reference_names_every_route_and_shape(server: ApiServer) -> None:
    _, api = await server.json("GET", "/openapi.json")
    async with server.client.get(server.url + "/docs") as response:
        page = await response.text()

    described: Any = api
    for path in described["paths"]:
        assert f"<code>{path}</code>" in page
    for shape in described["components"]["schemas"]:
        assert f"id='{shape}'" in page
    assert "<script" not in page
    assert "`" not in page


@pytest.mark.parametrize("path", ["/static/../data", "/static/%2e%2e/x", "/static/none.js"])
async def test_static_files_stay_in_their_folder(server: ApiServer, path: str) -> None:
    async with server.client.get(server.url + path) as response:
        assert response.status == 404
