import asyncio
from pathlib import Path
from typing import Any

import pytest

from orchestration.client import transport
from orchestration.client.api import OrchestrationClient
from orchestration.config.environment import hash_key
from orchestration.errors import (
    NotAuthenticated,
    ServiceUnreachable,
    SessionConflict,
    Unavailable,
    UnknownSession,
)
from orchestration.health.alerts import Alert
from orchestration.storage.alert_ports import AlertChange
from tests.doubles.api_server import api_server
from tests.doubles.unreliable_service import Page, unreliable_service


async def test_a_session_is_created_found_listed_and_deleted(tmp_path: Path) -> None:
    async with api_server(tmp_path) as server, OrchestrationClient(server.url) as client:
        created = await client.create_session("s1", title="Weekly", target_languages=["pt"])
        assert created["session_id"] == "s1"
        assert await client.create_session("s1", title="Weekly", target_languages=["pt"]) == created
        with pytest.raises(SessionConflict):
            await client.create_session("s1", title="Another")
        page = await client.sessions(limit=10)
        assert page["items"] == [created]
        assert (await client.delete_session("s1"))["sessions"] == 1
        with pytest.raises(UnknownSession):
            await client.session("s1")


async def test_health_and_services_answer(tmp_path: Path) -> None:
    async with api_server(tmp_path) as server, OrchestrationClient(server.url) as client:
        assert (await client.health())["status"] == "healthy"
        assert "services" in await client.services()
        assert (await client.models())["service"] == "whisper"


async def test_alerts_that_hold_and_those_that_did_are_read_by_the_page(tmp_path: Path) -> None:
    async with api_server(tmp_path) as server, OrchestrationClient(server.url) as client:
        for number in (1, 2, 3):
            was = Alert("cpu_high", "warning", "machine", "CPU: 95 %.", 95, 1000, 2000, number)
            server.archive.changes.append(AlertChange(number, "cleared", 2000, was))
        assert (await client.alerts())["items"] == []
        past: Any = await client.past_alerts(before=3)
    assert [one["id"] for one in past["items"]] == [2, 1]


async def test_the_key_opens_what_is_closed_without_it(tmp_path: Path) -> None:
    access = {"api_key_sha256": hash_key("a-key-of-some-length")}
    async with api_server(tmp_path, server=access) as server:
        async with OrchestrationClient(server.url) as client:
            with pytest.raises(NotAuthenticated):
                await client.sessions()
        async with OrchestrationClient(server.url, "a-key-of-some-length") as client:
            assert (await client.sessions())["items"] == []


async def test_a_recording_comes_piece_by_piece() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url, "k") as client:
        audio = b"fLaC" + bytes(200_000)
        service.answers["GET", "/api/sessions/s1/recording"] = (200, audio)
        pieces = [piece async for piece in client.recording("s1", 2)]
    assert b"".join(pieces) == audio
    assert service.requests == [("GET", "/api/sessions/s1/recording", {"stream": "2"})]
    assert service.authorization == "Bearer k"


async def test_nothing_at_the_address_is_one_sentence_that_says_what_to_do() -> None:
    async with OrchestrationClient("http://127.0.0.1:1/") as client:
        with pytest.raises(ServiceUnreachable, match="orchestration up"):
            await client.health()


async def test_an_answer_that_is_no_json_is_no_service_of_ours() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.answers["GET", "/api/health"] = (200, "<html>hello</html>")
        with pytest.raises(ServiceUnreachable):
            await client.health()


async def test_a_failure_without_a_problem_body_is_judged_by_its_status() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.answers["GET", "/api/sessions"] = (502, "bad gateway")
        with pytest.raises(Unavailable):
            await client.sessions()


async def test_a_websocket_that_is_never_opened_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "UPGRADE_TIMEOUT_S", 0.05)
    connected = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent, OrchestrationClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ServiceUnreachable):
            async with client.websocket("/ws/ingest/s1"):
                pytest.fail("it was never opened")
        assert connected.is_set()


@pytest.mark.parametrize("method", ["create_session", "sessions"])
async def test_a_proxy_that_sends_elsewhere_is_not_followed_but_told(method: str) -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        elsewhere = f"{service.url}/elsewhere"
        service.redirects = elsewhere
        with pytest.raises(ServiceUnreachable, match=elsewhere):
            await getattr(client, method)()
    assert service.requests == []


async def test_a_page_of_another_program_is_no_answer() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, Page("<!doctype html>"))
        with pytest.raises(ServiceUnreachable, match="No orchestration service"):
            await client.transcript_text("s1", "srt")
        service.answers["GET", "/api/sessions/s1/transcript"] = (502, Page("Bad Gateway"))
        with pytest.raises(Unavailable):
            await client.transcript_text("s1", "srt")
