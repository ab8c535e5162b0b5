"""Files, OpenAI's route and the gateway by the Python client."""

import io
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from orchestration.client.api import OrchestrationClient
from orchestration.client.upload_calls import UPLOAD_TRIES
from orchestration.errors import (
    BadAudio,
    ServiceUnreachable,
    UnknownService,
    UnreadableFile,
    UnsupportedAudio,
)
from orchestration.json_types import JsonObject
from orchestration.services.gateway import HttpGateway
from orchestration.services.gateway_pool import GatewayUpstream
from tests.data.make_files import FORMATS, tone_file
from tests.doubles.api_server import ApiServer, api_server
from tests.doubles.unreliable_service import served_by

FLAC = tone_file(FORMATS["flac"])


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[OrchestrationClient]:
    async with OrchestrationClient(server.url) as one:
        yield one


async def test_a_file_is_uploaded_by_its_path_and_tells_its_progress(
    client: OrchestrationClient, tmp_path: Path
) -> None:
    path = tmp_path / "tone.flac"
    path.write_bytes(FLAC)
    told: list[JsonObject] = []
    result = await client.upload(
        path, title="Tone", language="en", target_languages=["pt", "es"], on_progress=told.append
    )
    session = await client.session(str(result["session_id"]))
    assert (session["title"], session["target_languages"]) == ("Tone", ["pt", "es"])
    assert result["filename"] == "tone.flac"
    assert {one["session_id"] for one in told} == {result["session_id"]}
    assert (await client.upload_job(str(told[0]["job_id"])))["status"] == "completed"


@pytest.mark.parametrize("source", [FLAC, io.BytesIO(FLAC)])
async def test_a_file_may_be_bytes_or_open_and_is_only_looked_at_where_that_is_wanted(
    client: OrchestrationClient, source: Any
) -> None:
    result = await client.upload(source, transcription=False)
    assert (result["processing_result"], result["file_size"]) == (None, len(FLAC))


async def test_what_is_wrong_with_a_file_is_the_error_that_the_service_names(
    client: OrchestrationClient, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedAudio):
        await client.upload(b"no audio")
    with pytest.raises(UnreadableFile):
        await client.upload(tmp_path / "none.wav")
    with pytest.raises(BadAudio):
        await client.transcribe(b"no audio")


@dataclass
class CutUploads:
    url: str
    asked: list[str]
    """The jobs that were asked for."""
    sent: list[tuple[str, bytes]]
    """The keys and the content of the files that came."""


@asynccontextmanager
async def cut_uploads(progress: str, cuts: int = 100) -> AsyncIterator[CutUploads]:
    """A service that cuts the events of the first uploads off, and then knows of its job."""
    asked: list[str] = []
    sent: list[tuple[str, bytes]] = []

    async def upload(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        sent.append((request.headers["Idempotency-Key"], file.file.read()))
        if len(sent) > cuts:
            return web.json_response({"session_id": "s1"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(progress.encode())
        assert request.transport is not None
        request.transport.close()
        return response

    async def job(request: web.Request) -> web.Response:
        asked.append(request.match_info["job_id"])
        if len(asked) == 1:
            return web.json_response({"code": "unavailable"}, status=503)
        return web.json_response({"status": "completed", "result": {"session_id": "s1"}})

    routes = (web.post("/api/audio/upload", upload), web.get("/api/audio/jobs/{job_id}", job))
    async with served_by(*routes) as url:
        yield CutUploads(url, asked, sent)


async def test_an_upload_whose_connection_is_lost_is_asked_for_its_result() -> None:
    begun = 'event: progress\ndata: {"job_id": "s1.0"}\n\n'
    async with cut_uploads(begun) as cut, OrchestrationClient(cut.url) as client:
        assert await client.upload(FLAC) == {"session_id": "s1"}
    assert cut.asked == ["s1.0", "s1.0"]
    assert len(cut.sent) == 1


NO_EVENT = ": no event yet\n\n"


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is so without waiting."""
    monkeypatch.setattr(random, "random", lambda: 0.0)


@pytest.mark.usefixtures("_at_once")
async def test_an_upload_that_has_no_job_yet_is_sent_a_few_times_under_one_key() -> None:
    async with cut_uploads(NO_EVENT) as cut, OrchestrationClient(cut.url) as client:
        with pytest.raises(ServiceUnreachable):
            await client.upload(FLAC)
        (key, content), *others = cut.sent
        assert others == [(key, content)] * (UPLOAD_TRIES - 1)
        assert content == FLAC
        with pytest.raises(ServiceUnreachable):
            await client.upload(FLAC)
    assert cut.asked == []
    assert len({key for key, _ in cut.sent}) == 2


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("kind", ["path", "bytes", "open", "in memory", "pipe"])
async def test_a_file_is_sent_again_from_where_it_was_if_it_can_be(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "tone.flac"
    path.write_bytes(FLAC)
    reading, writing = os.pipe()
    os.write(writing, FLAC[4:][:1000])
    os.close(writing)
    with path.open("rb") as file, os.fdopen(reading, "rb") as pipe:
        file.seek(4)
        memory = io.BytesIO(FLAC)
        memory.seek(4)
        sources: dict[str, Any] = {
            "path": path,
            "bytes": FLAC,
            "open": file,
            "in memory": memory,
            "pipe": pipe,
        }
        async with cut_uploads(NO_EVENT, cuts=1) as cut, OrchestrationClient(cut.url) as client:
            sending = client.upload(sources[kind], idempotency_key="mine")
            if kind == "pipe":
                with pytest.raises(ServiceUnreachable):
                    await sending
                assert len(cut.sent) == 1
                return
            assert await sending == {"session_id": "s1"}
        assert not file.closed
    whole = FLAC if kind in ("path", "bytes") else FLAC[4:]
    assert cut.sent == [('"mine"', whole)] * 2


async def test_a_service_that_is_not_there_is_told_of_at_once() -> None:
    async with cut_uploads(NO_EVENT) as cut:
        pass
    async with OrchestrationClient(cut.url) as client:
        with pytest.raises(ServiceUnreachable):
            await client.upload(FLAC)


@pytest.mark.usefixtures("_at_once")
async def test_a_file_whose_job_is_lost_with_its_replica_is_sent_again() -> None:
    told: list[JsonObject] = []

    async def upload(request: web.Request) -> web.StreamResponse:
        await request.read()
        told.append({"key": request.headers["Idempotency-Key"]})
        if len(told) == 2:
            return web.json_response({"session_id": "s2"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'event: progress\ndata: {"job_id": "s1.0"}\n\n')
        return response

    async def job(request: web.Request) -> web.Response:
        error = {"status": 503, "code": "unavailable", "detail": "Send it again."}
        return web.json_response({"status": "failed", "error": error})

    routes = (web.post("/api/audio/upload", upload), web.get("/api/audio/jobs/{job_id}", job))
    async with served_by(*routes) as url, OrchestrationClient(url) as client:
        assert await client.upload(FLAC) == {"session_id": "s2"}
    assert told[0] == told[1]


async def test_a_file_is_heard_without_a_session_by_openais_route(
    client: OrchestrationClient, server: ApiServer
) -> None:
    heard = await client.transcribe(FLAC, language="en", words=True)
    text = await client.transcribe_text(FLAC, "text", language="en")
    assert heard["text"] == text.strip()
    assert {"segments", "words"} <= heard.keys()
    assert {request.language for request in server.engines.asked} == {"en"}


async def test_a_service_behind_answers_as_it_is_and_the_gateway_by_its_errors(
    tmp_path: Path,
) -> None:
    async def teapot(request: web.Request) -> web.Response:
        return web.json_response(await request.json(), status=418)

    async with served_by(web.post("/translate", teapot)) as url:
        behind = {"translation": [GatewayUpstream(url, 1, None)]}
        gateway = HttpGateway(behind, timeout_s=5, tries=1)
        async with (
            api_server(tmp_path, gateway=gateway) as server,
            OrchestrationClient(server.url) as client,
        ):
            answer = await client.ask_service(
                "translation", "translate", method="POST", body={"q": "hello"}
            )
            with pytest.raises(UnknownService):
                await client.ask_service("whisper", "models")
    assert (answer.status, answer.body) == (418, b'{"q": "hello"}')
    assert answer.headers["X-Gateway-Service"] == "translation"


async def test_a_caller_whose_own_output_breaks_is_told_of_that_and_of_no_service(
    client: OrchestrationClient,
) -> None:
    told: list[JsonObject] = []

    def tell(job: JsonObject) -> None:
        told.append(job)
        if len(told) == 1:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await client.upload(FLAC, on_progress=tell)
