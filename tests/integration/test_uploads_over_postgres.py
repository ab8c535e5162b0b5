"""Uploaded files over real sessions and a real database: what is stored of them."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import soundfile

from orchestration.session.sender_channel import SenderChannel
from orchestration.session.sender_presence import FILE_AWAITED_MS
from orchestration.session.session import Session
from tests.integration.edge_over_postgres import Service, edge_over_postgres, read_audio


@pytest.fixture
async def service(server_dsn: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with edge_over_postgres(server_dsn, tmp_path) as running:
        yield running


def reading() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, read_audio(3), 16_000, format="FLAC")
    return file.getvalue()


async def sent(service: Service, key: str, file: bytes, **headers: str) -> tuple[int, Any]:
    form = aiohttp.FormData()
    form.add_field("file", file, filename="reading.flac")
    url = f"{service.url}/api/audio/upload"
    headers = {"Idempotency-Key": f'"{key}"', **headers}
    async with service.client.post(url, data=form, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_files_that_come_at_once_and_again_with_one_key_are_one_session(
    service: Service,
) -> None:
    key, file = "at-once", reading()
    at_once = await asyncio.gather(sent(service, key, file), sent(service, key, file))
    answers = [*at_once, await sent(service, key, file)]
    assert {status for status, _ in answers} == {200}
    (session_id,) = {body["session_id"] for _, body in answers}
    sessions = await service.get("/api/sessions?limit=200")
    mine = [one for one in sessions["items"] if one["title"] == "reading.flac"]
    assert [one["session_id"] for one in mine] == [session_id]
    assert (await service.get(f"/api/audio/jobs/{session_id}.0"))["status"] == "completed"
    assert (await sent(service, key, file[:-1]))[0] == 422


async def test_a_session_whose_files_replica_was_killed_completes_with_what_had_come(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica is this process: what it has of the file's way is cut off without a word."""
    push, cut = SenderChannel.push, asyncio.Event()

    async def cut_off(channel: SenderChannel, *asked: Any) -> Any:
        cut.set()
        return await asyncio.Future[Any]()

    async def never(channel: SenderChannel, *asked: Any) -> Any:
        return await asyncio.Future[Any]()

    must_abandon = Session.must_abandon
    monkeypatch.setattr(SenderChannel, "push", cut_off)
    monkeypatch.setattr(SenderChannel, "notice", never)
    later = asyncio.create_task(sent(service, "cut", reading(), Prefer="respond-async"))
    async with asyncio.timeout(60):
        await cut.wait()
        _, job = await later
        monkeypatch.setattr(SenderChannel, "push", push)
        monkeypatch.setattr(
            Session, "must_abandon", lambda one, now: must_abandon(one, now + FILE_AWAITED_MS)
        )
        await service.sessions.finished.wait()
    session = await service.get(f"/api/sessions/{job['session_id']}")
    assert session["status"] == "completed"
    events = (await service.get(f"/api/sessions/{job['session_id']}/events"))["items"]
    told = [one["detail"] for one in events if one.get("status") == "abandoned"]
    assert told == ["the upload broke off"]
