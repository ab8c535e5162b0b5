"""Erasing by HTTP, over the doubles."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestration.storage.erasure_ports import PersonInSession
from tests.doubles.api_server import ApiServer, api_server
from tests.storage_values import participant


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        await running.session("s1")
        running.archive.of("s1").participants.append(participant())
        yield running


async def test_a_deleted_session_is_answered_with_a_receipt(server: ApiServer) -> None:
    status, receipt = await server.json("DELETE", "/api/sessions/s1")
    assert status == 200
    assert (receipt["kind"], receipt["sessions"], receipt["rows"]) == (
        "session",
        1,
        {"sessions": 1},
    )
    _, page = await server.json("GET", "/api/erasures")
    assert page == {"items": [receipt], "next_before": None}
    assert (await server.json("DELETE", "/api/sessions/s1"))[0] == 404


async def test_an_erased_person_is_answered_with_a_receipt(server: ApiServer) -> None:
    server.archive.people.append(PersonInSession("s1", False, ("p1",), ()))
    status, receipt = await server.json("DELETE", "/api/people", json={"email": "a@b.c"})
    assert status == 200
    assert (receipt["kind"], receipt["sessions"]) == ("person", 1)
    assert "a@b.c" not in str(receipt)


async def test_nobody_is_erased_from_a_running_session(server: ApiServer) -> None:
    server.archive.people.append(PersonInSession("s1", True, ("p1",), ()))
    status, problem = await server.json("DELETE", "/api/people", json={"name": "Ana"})
    assert (status, problem["code"], problem["session_ids"]) == (409, "session_running", ["s1"])
    _, page = await server.json("GET", "/api/erasures")
    assert page["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.c", "name": "Ana"},
        {"name": ""},
        {"name": "Ana", "audio": "some"},
        {"nick": "Ana"},
        [],
    ],
)
async def test_whom_to_erase_has_to_be_said_in_one_way(server: ApiServer, body: object) -> None:
    status, problem = await server.json("DELETE", "/api/people", json=body)
    assert status in (400, 422)
    assert "code" in problem


async def test_receipts_come_by_the_page(server: ApiServer) -> None:
    for name in ("a", "b", "c"):
        await server.json("DELETE", "/api/people", json={"name": name})
    _, first = await server.json("GET", "/api/erasures?limit=2")
    _, rest = await server.json("GET", f"/api/erasures?before={first['next_before']}")
    ids = [one["erasure_id"] for page in (first, rest) for one in page["items"]]  # type: ignore[union-attr,index,call-overload]
    assert ids == [3, 2, 1]
