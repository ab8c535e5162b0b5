"""Files that are sent again with an `Idempotency-Key`, because the first answer was lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestration.api.audio_results import UploadResults
from orchestration.api.audio_views import UploadJobView
from orchestration.errors import SessionEnded
from orchestration.json_types import JsonObject
from tests.data.make_files import FORMATS, tone_file
from tests.doubles.api_server import ApiServer, api_server

FLAC = tone_file(FORMATS["flac"])
LATER = {"Prefer": "respond-async"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path, audio={"max_uploads": 3}) as running:
        yield running


async def sent(
    server: ApiServer,
    key: str = '"key-1"',
    *,
    file: bytes = FLAC,
    name: str = "tone.flac",
    headers: dict[str, str] | None = None,
    **fields: str,
) -> tuple[int, Any]:
    data = aiohttp.FormData(fields)
    data.add_field("file", file, filename=name)
    with_key = {"Idempotency-Key": key, **(headers or {})}
    return await server.json("POST", "/api/audio/upload", data=data, headers=with_key)


@asynccontextmanager
async def sent_for_events(server: ApiServer, **fields: str) -> AsyncIterator[aiohttp.StreamReader]:
    """What is told of the file by Server-Sent Events."""
    data = aiohttp.FormData(fields)
    data.add_field("file", FLAC, filename="tone.flac")
    headers = {"Idempotency-Key": "key-1", "Accept": "text/event-stream"}
    url = f"{server.url}/api/audio/upload"
    async with (
        asyncio.timeout(60),
        server.client.post(url, data=data, headers=headers) as answer,
    ):
        yield answer.content


async def finished(server: ApiServer, job: JsonObject) -> JsonObject:
    async with asyncio.timeout(60):
        while True:
            _, view = await server.json("GET", str(job["status_url"]))
            if view["status"] != "processing":
                return view


@pytest.mark.parametrize("again", ['"key-1"', "key-1"])
async def test_a_file_that_comes_again_with_its_key_is_heard_once(
    server: ApiServer, again: str
) -> None:
    status, first = await sent(server)
    status_again, second = await sent(server, again)
    assert (status, status_again) == (200, 200)
    assert len(server.archive.stored) == 1
    for told in ("session_id", "request_id", "filename", "file_size", "processing_result"):
        assert second[told] == first[told]
    _, stats = await server.json("GET", "/api/audio/stats")
    assert (stats["uploads_done"], stats["uploads_under_way"]) == (1, 0)


async def test_files_without_a_key_or_with_another_are_sessions_of_their_own(
    server: ApiServer,
) -> None:
    data = aiohttp.FormData()
    data.add_field("file", FLAC, filename="tone.flac")
    await server.json("POST", "/api/audio/upload", data=data)
    await sent(server)
    await sent(server, '"key-2"')
    assert len(server.archive.stored) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"file": tone_file(FORMATS["wav"])},
        {"name": "other.flac"},
        {"language": "pt"},
        {"speaker_diarization": "false"},
    ],
)
async def test_a_key_that_came_with_another_request_is_refused(
    server: ApiServer, other: dict[str, Any]
) -> None:
    await sent(server)
    status, problem = await sent(server, **other)
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    assert len(server.archive.stored) == 1


async def test_a_request_that_comes_again_meanwhile_has_the_job_of_the_first(
    server: ApiServer,
) -> None:
    session = await server.session()
    session.push_gate.clear()
    _, first = await sent(server, headers=LATER, session_id="s1")
    status, second = await sent(server, headers=LATER, session_id="s1")
    assert (status, second["job_id"]) == (202, first["job_id"])
    assert list(session.stored.streams) == [0]

    async with sent_for_events(server, session_id="s1") as events:
        assert (await events.readline()) == b"event: progress\n"
        session.push_gate.set()
        session.complete()
        *_, last = (await events.read()).decode().strip().split("\n\n")
    name, body = last.split("\n")
    assert name == "event: result"
    assert json.loads(body.removeprefix("data: "))["request_id"] == first["job_id"]


async def test_a_request_that_comes_again_meanwhile_is_told_why_the_first_one_failed(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, looked = UploadResults.view, asyncio.Semaphore(0)

    async def counted(results: UploadResults, *asked: Any) -> UploadJobView:
        looked.release()
        return await view(results, *asked)

    session = await server.session()
    session.push_gate.clear()
    await sent(server, headers=LATER, session_id="s1")
    monkeypatch.setattr(UploadResults, "view", counted)
    waiting = asyncio.create_task(sent(server, session_id="s1"))
    async with asyncio.timeout(60):
        for _ in range(3):
            await looked.acquire()
        session.push_error = SessionEnded("Session s1 has ended.")
        session.push_gate.set()
        status, problem = await waiting
    assert (status, problem["code"]) == (409, "session_ended")
    assert list(session.stored.streams) == [0]


async def test_a_request_that_comes_again_is_told_when_its_session_is_deleted_meanwhile(
    server: ApiServer,
) -> None:
    session = await server.session()
    session.push_gate.clear()
    await sent(server, headers=LATER, session_id="s1")
    async with sent_for_events(server, session_id="s1") as events:
        assert (await events.readline()) == b"event: progress\n"
        await server.json("DELETE", "/api/sessions/s1")
        session.push_gate.set()
        last = (await events.read()).decode().strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")


async def test_requests_that_come_at_once_with_one_key_make_one_session(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, asked, both = server.sessions.create, 0, asyncio.Event()

    async def create_at_once(*wanted: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 2:
            both.set()
        await both.wait()
        return await create(*wanted)

    monkeypatch.setattr(server.sessions, "create", create_at_once)
    async with asyncio.timeout(60):
        (_, first), (_, second) = await asyncio.gather(sent(server), sent(server))
    assert first["session_id"] == second["session_id"]
    assert list(server.archive.stored) == [first["session_id"]]


async def test_a_key_whose_file_has_failed_is_free_again(server: ApiServer) -> None:
    session = await server.session()
    session.push_error = SessionEnded("Session s1 has ended.")
    _, first = await sent(server, headers=LATER, session_id="s1")
    assert (await finished(server, first))["status"] == "failed"
    session.push_error = None
    _, second = await sent(server, headers=LATER, session_id="s1")
    assert second["job_id"] == "s1.1"
    _, third = await sent(server, headers=LATER, session_id="s1")
    assert third["job_id"] == "s1.1"


async def test_a_file_that_was_refused_keeps_no_key(server: ApiServer) -> None:
    status, problem = await sent(server, file=b"no audio")
    assert (status, problem["code"]) == (415, "unsupported_audio")
    assert (await sent(server))[0] == 200


async def test_a_file_whose_replica_was_killed_is_heard_when_it_comes_again(
    server: ApiServer,
) -> None:
    _, first = await sent(server)
    cut = server.archive.of(str(first["session_id"]))
    cut.streams[0] = replace(cut.streams[0], next_seq=0, next_sample=0)
    status, second = await sent(server)
    assert status == 200
    assert second["session_id"] != first["session_id"]
    _, third = await sent(server)
    assert third["session_id"] == second["session_id"]


async def test_a_key_goes_with_its_session(server: ApiServer) -> None:
    _, first = await sent(server)
    await server.json("DELETE", f"/api/sessions/{first['session_id']}")
    _, second = await sent(server)
    assert list(server.archive.stored) == [second["session_id"]]


@pytest.mark.parametrize("key", ["", '""', '"half', "two words", "x" * 256, 'a"b'])
async def test_a_malformed_key_is_refused(server: ApiServer, key: str) -> None:
    status, problem = await sent(server, key)
    assert (status, problem["code"]) == (422, "invalid_request")
    assert not server.archive.stored
