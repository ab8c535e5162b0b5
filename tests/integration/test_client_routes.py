"""The Python client has a method for every route that the OpenAPI document has."""

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from orchestration.client.api import OrchestrationClient
from tests.doubles.api_server import api_server

WITHOUT_A_METHOD = {
    ("POST", "/api/sign-in"): "sets a browser's cookie; a program sends the key",
    ("POST", "/api/config"): "is POST /api/settings by its first name",
}

Call = Callable[[OrchestrationClient], Awaitable[object] | AsyncIterator[object]]

CALLS: list[Call] = [
    lambda c: c.create_session("s1"),
    lambda c: c.sessions(),
    lambda c: c.session("s1"),
    lambda c: c.configure_session("s1", {"chunk_ms": 5000}),
    lambda c: c.delete_session("s1"),
    lambda c: c.end_session("s1"),
    lambda c: c.repair("s1"),
    lambda c: c.erase_person(name="Ana"),
    lambda c: c.erasures(),
    lambda c: c.transcript("s1"),
    lambda c: c.transcript_text("s1", "srt"),
    lambda c: c.coverage("s1"),
    lambda c: c.events("s1"),
    lambda c: c.recording("s1", 0),
    lambda c: c.export_session("s1"),
    lambda c: c.session_list("s1", "participants"),
    lambda c: c.session_list("s1", "audio-files"),
    lambda c: c.session_list("s1", "transcripts"),
    lambda c: c.session_list("s1", "chunks"),
    lambda c: c.session_list("s1", "translations"),
    lambda c: c.session_list("s1", "correlations"),
    lambda c: c.statistics("s1"),
    lambda c: c.search("budget"),
    lambda c: c.speakers("s1"),
    lambda c: c.speaker_corrections("s1"),
    lambda c: c.map_speaker("s1", "Ana", segment_id="s1:0:0"),
    lambda c: c.unmap_speaker("s1", segment_id="s1:0:0"),
    lambda c: c.merge_speakers("s1", "p-1", "p-2"),
    lambda c: c.rename_speaker("s1", "p-1", "Ana"),
    lambda c: c.correlations("s1"),
    lambda c: c.correlate("s1"),
    lambda c: c.timing("s1"),
    lambda c: c.realign("s1"),
    lambda c: c.upload(b"RIFF", session_id="s1"),
    lambda c: c.upload_job("s1.0"),
    lambda c: c.store_chunk("s1", 0, b"ab"),
    lambda c: c.audio_statistics(),
    lambda c: c.audio_presets(),
    lambda c: c.audio_config(),
    lambda c: c.check_audio_setting("noisy", {}),
    lambda c: c.models(),
    lambda c: c.transcription_models(),
    lambda c: c.transcribe(b"RIFF"),
    lambda c: c.transcribe_text(b"RIFF"),
    lambda c: c.config(),
    lambda c: c.settings(),
    lambda c: c.validate_settings({}),
    lambda c: c.change_settings({}),
    lambda c: c.reset_settings(),
    lambda c: c.roll_settings_back(1),
    lambda c: c.settings_history(),
    lambda c: c.import_settings("{}"),
    lambda c: c.export_settings(),
    lambda c: c.health(),
    lambda c: c.services(),
    lambda c: c.alerts(),
    lambda c: c.past_alerts(),
    lambda c: c.alert_events(),
    lambda c: c.dashboard(),
    lambda c: c.metrics(),
    lambda c: c.prometheus_metrics(),
    lambda c: c.connections(),
    lambda c: c.connection_statistics(),
    lambda c: c.ticket(),
    *(
        lambda c, service=service, method=method: c.ask_service(service, "x", method=method)
        for service in ("whisper", "translation")
        for method in ("GET", "POST", "PUT", "DELETE")
    ),
]


@asynccontextmanager
async def listener() -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    """A service that answers everything with an empty object; its address, and what it is asked."""
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        asked.append((request.method, request.path))
        return web.json_response({}, headers={"X-Gateway-Service": "any"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", asked
    finally:
        await runner.cleanup()


async def made(call: Call, client: OrchestrationClient) -> None:
    answer = call(client)
    if inspect.isawaitable(answer):
        await answer
    else:
        assert isinstance(answer, AsyncIterator)
        async for _ in answer:
            pass


async def documented(tmp_path: Path) -> set[tuple[str, str]]:
    async with api_server(tmp_path) as server:
        _, document = await server.json("GET", "/openapi.json")
    paths: Any = document["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def is_of(asked: tuple[str, str], operation: tuple[str, str]) -> bool:
    """Whether a request is one of a documented operation."""
    method, template = operation
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
    return asked[0] == method and re.fullmatch(pattern, asked[1]) is not None


async def test_every_documented_route_has_a_method_or_a_reason_to_have_none(
    tmp_path: Path,
) -> None:
    async with listener() as (url, asked), OrchestrationClient(url) as client:
        for call in CALLS:
            await made(call, client)
    operations = await documented(tmp_path)
    missed = {one for one in operations if not any(is_of(request, one) for request in asked)}
    unknown = [request for request in asked if not any(is_of(request, one) for one in operations)]
    assert missed == WITHOUT_A_METHOD.keys()
    assert unknown == []


async def test_every_public_method_that_asks_is_among_those_that_are_tried() -> None:
    methods = {
        name
        for name, member in inspect.getmembers(OrchestrationClient, inspect.isfunction)
        if not name.startswith("_") and name != "websocket"
    }
    tried = {name for call in CALLS for name in call.__code__.co_names}
    assert methods == tried
