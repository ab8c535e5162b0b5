"""What changes while a session runs: its settings, its languages, the names of its people."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.json_types import JsonObject
from orchestration.session.pump import RENAMED_AT_ONCE
from orchestration.session.values import ChunkingValues, SessionValues
from orchestration.speakers.repainting import REPAINTABLE_SEGMENTS
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import SessionSpec
from tests.integration.edge_over_postgres import (
    MIXED,
    Service,
    edge_over_postgres,
    frames_of,
    read_audio,
    until,
)
from tests.storage_values import participant, segment

ZERO_UNIX_MS = 1_700_000_000_000


@pytest.fixture
async def service(server_dsn: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with edge_over_postgres(server_dsn, tmp_path) as running:
        yield running


async def test_changed_settings_that_do_not_fit_a_sessions_own_leave_it_as_it_was(
    service: Service,
) -> None:
    client = service.client
    body = {"session_id": "own", "settings": {"overlap_ms": 3000}}
    async with client.post(f"{service.url}/api/sessions", json=body) as response:
        assert response.status == 201
    async with client.ws_connect(f"{service.url}/ws/live/own?after=0") as viewer:
        await viewer.receive_json()
        service.sessions.apply(SessionValues(chunking=ChunkingValues(chunk_ms=3200)))
        async with asyncio.timeout(60):
            while (event := await viewer.receive_json())["type"] != "alert":
                pass
        assert event["code"] == "settings_not_applied"
        url = f"{service.url}/api/sessions/own"
        async with client.patch(url, json={"settings": {"overlap_ms": None}}) as response:
            assert (await response.json())["settings"] == {}


async def test_viewers_are_told_of_a_change_that_was_stored_while_the_actor_died(
    service: Service,
) -> None:
    await service.sessions.create(SessionSpec("dying", language="en"))
    async with service.client.ws_connect(f"{service.url}/ws/live/dying") as viewer:
        await viewer.receive_json()
        await PostgresArchive(service.pool).configure_session(
            "dying", lambda spec: replace(spec, target_languages=("pt",))
        )
        await service.sessions.restart("dying")
        told = await until(viewer, "session")
    assert (told["language"], told["target_languages"]) == ("en", ["pt"])


async def test_a_platforms_new_name_is_on_every_line_of_the_session(service: Service) -> None:
    body = {"session_id": "renaming", "language": "en"}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()
    lines = [segment(number) for number in range(REPAINTABLE_SEGMENTS + RENAMED_AT_ONCE + 5)]
    known = SessionChanges(segments=lines, participants=[participant()], zero_unix_ms=ZERO_UNIX_MS)
    await PostgresJournal(service.pool).commit("renaming", 1, known)
    await service.sessions.restart("renaming")
    async with (
        service.client.ws_connect(session["live_url"]) as viewer,
        service.client.ws_connect(session["ingest_url"]) as bot,
    ):
        await bot.send_json({"type": "hello", "protocol": 1, "streams": [MIXED]})
        await until(bot, "welcome")
        person = {"id": "p1", "name": "Ana Lima"}
        await bot.send_bytes(frames_of(read_audio(1))[0])
        await bot.send_json(
            {"type": "participant", "fact": 0, "event": "join", "participant": person}
        )
        repainted: set[str] = set()
        while len(repainted) < len(lines):
            told = await until(viewer, "speaker")
            repainted |= {one["segment_id"] for one in told["segments"]}
    stored = await PostgresJournal(service.pool).final_segments("renaming")
    assert {(one.speaker.name, one.revision) for one in stored if one.speaker} == {("Ana Lima", 2)}
    assert len(stored) == len(lines)


async def test_lines_of_before_are_translated_to_a_language_that_comes_to_a_running_session(
    service: Service,
) -> None:
    body: JsonObject = {"session_id": "languages", "language": "en"}
    async with service.client.post(f"{service.url}/api/sessions", json=body) as response:
        session = await response.json()
    lines = [segment(number) for number in range(9)]
    changes = SessionChanges(segments=lines, zero_unix_ms=ZERO_UNIX_MS)
    await PostgresJournal(service.pool).commit("languages", 1, changes)
    async with service.client.ws_connect(session["live_url"]) as viewer:
        url = f"{service.url}/api/sessions/languages"
        async with service.client.patch(url, json={"target_languages": ["pt"]}) as response:
            assert (await response.json())["target_languages"] == ["pt"]
        told = [await until(viewer, "translation") for _ in lines]
    assert [one["segment_id"] for one in told] == [one.segment_id for one in lines]
    await service.sessions.end("languages")
    async with asyncio.timeout(60):
        await service.sessions.finished.wait()
    transcript = await service.get("/api/sessions/languages/transcript")
    assert transcript["status"] == "completed"
    assert [one["translations"] for one in transcript["segments"]] == [
        {"pt": {"text": "olá", "state": "final"}}
    ] * len(lines)
