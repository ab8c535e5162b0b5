"""By which route each kind of service is probed."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from orchestration.services.translation_libretranslate import LibreTranslate
from orchestration.services.translation_livetranslate import LivetranslateTranslation
from orchestration.services.whisper_livetranslate import LivetranslateWhisper
from orchestration.services.whisper_openai import OpenAIWhisper


async def probed(health_path: str | None, status: int) -> tuple[list[str], list[bool]]:
    """Which routes the four adapters ask, and whether each found its service healthy."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        engines: list[Any] = [
            OpenAIWhisper(url, model="m"),
            LivetranslateWhisper(url),
            LivetranslateTranslation(url),
            LibreTranslate(url),
        ]
        for engine in engines:
            engine.own_health_path = health_path
        statuses = [await engine.check() for engine in engines]
        for engine in engines:
            await engine.close()
    return asked, [one.healthy for one in statuses]


@pytest.mark.parametrize("status", [200, 404, 503])
async def test_a_service_is_probed_by_the_route_of_its_settings_and_no_other(status: int) -> None:
    assert await probed("/ready/now", status) == (["/ready/now"] * 4, [status == 200] * 4)


async def test_without_a_setting_each_kind_has_a_route_of_its_own() -> None:
    asked, healthy = await probed(None, 200)
    assert asked == ["/health", "/health", "/api/health", "/languages"]
    assert all(healthy)
