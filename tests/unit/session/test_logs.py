"""What a session logs: ids and figures, and never what was said."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import structlog
from aiohttp import web

from orchestration.errors import EngineError
from orchestration.json_types import JsonObject
from orchestration.logs import configure_logs
from orchestration.metrics.meter import Tally
from orchestration.services.ports import TranscriptionRequest, TranslationRequest
from orchestration.services.translation_libretranslate import LibreTranslate
from orchestration.session.inputs import EndOfStreams
from orchestration.session.runner import SessionRunner
from tests.doubles.scripted_engines import ScriptedEngines
from tests.unit.metrics.session_under_measure import (
    SPOKEN,
    VALUES,
    MemoryJournal,
    NoRecording,
    connect,
    frames,
    said,
    send,
)
from tests.unit.session.meeting import claim

SECRET = "Marmalade-heist"


@pytest.fixture
async def gossip() -> AsyncIterator[str]:
    """A translation service that refuses every line and repeats it in its answer."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=500, text=await request.text())

    app = web.Application()
    app.router.add_post("/translate", refuse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


class Engines(ScriptedEngines):
    """Hears the secret, then fails with it; translates by way of a gossip."""

    def __init__(self, gossip: str) -> None:
        super().__init__(lambda request: said(SECRET))
        self._translation = LibreTranslate(gossip, api_key=None, timeout_s=5)

    async def translate(self, request: TranslationRequest) -> str:
        return await self._translation.translate(request)

    async def close(self) -> None:
        await self._translation.close()


async def test_a_session_logs_its_ids_and_nothing_of_what_was_said(
    gossip: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("DEBUG")
    finished = asyncio.Event()
    engines, journal = Engines(gossip), MemoryJournal(outages=1)

    async def finish() -> None:
        finished.set()

    runner = SessionRunner(
        claim(targets=("pt",)),
        cast(Any, journal),
        engines,
        VALUES,
        NoRecording(),
        finish,
        Tally(),
    )
    try:
        await connect(runner)
        await send(runner, *frames(SPOKEN))
        async with asyncio.timeout(60):
            while not any(changes.translations for changes in journal.changes):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        engines.hear = _fail
        await send(runner, *frames(SPOKEN, first_seq=40), EndOfStreams(((0, 79),), -1))
        async with asyncio.timeout(60):
            await finished.wait()
        await runner.stop()
    finally:
        await engines.close()
        structlog.reset_defaults()
    printed = capsys.readouterr()

    assert SECRET not in printed.err + printed.out
    assert any(SECRET in segment.text for change in journal.changes for segment in change.segments)
    lines: list[JsonObject] = [json.loads(line) for line in printed.err.splitlines()]
    assert all(line["session_id"] == "weekly" and line["epoch"] == 1 for line in lines)
    by_event = {line["event"]: line for line in lines}
    assert by_event["chunk_heard"]["stream"] == 0
    assert by_event["chunk_heard"]["chunk"] == 0
    assert by_event["transcription_failed"]["chunk"] == 1
    assert by_event["translation_failed"]["segment"]
    assert {"store_waits", "session_completed"} <= by_event.keys()


def _fail(request: TranscriptionRequest) -> Any:
    raise EngineError("whisper failed.", {"excerpt": SECRET})
