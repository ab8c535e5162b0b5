"""Models and devices of the services behind, over HTTP."""

from pathlib import Path
from typing import Any

from orchestration.services.ports import EngineDescription
from orchestration.services.translation_livetranslate import LivetranslateTranslation
from orchestration.services.whisper_livetranslate import LivetranslateWhisper
from orchestration.services.whisper_openai import OpenAIWhisper
from tests.doubles.api_server import ApiServer, api_server
from tests.doubles.livetranslate_server import LivetranslateDouble
from tests.doubles.whisper_server import WhisperDouble

OPENAI = EngineDescription("http://w:1", "openai", ("whisper-1", "large"))
LOCAL = EngineDescription("faster-whisper:base", "embedded", ("base",), "cpu", "cpu", "int8")
DOWN = EngineDescription("http://w:2", "openai", error="http://w:2 cannot be reached.")


async def models(api: ApiServer, *whisper: EngineDescription) -> dict[str, Any]:
    api.engines.descriptions = (whisper, [LOCAL])
    body: dict[str, Any]
    status, body = await api.json("GET", "/api/audio/models")
    assert status == 200
    return body


async def test_the_models_of_all_whisper_services_come_together(tmp_path: Path) -> None:
    async with api_server(tmp_path) as api:
        body = await models(api, OPENAI, LOCAL)
    assert body["status"] == "success"
    assert body["available_models"] == ["whisper-1", "large", "base"]
    assert body["total_models"] == 3
    assert {"name": "base", "service": "faster-whisper:base", "kind": "embedded"} in body["models"]
    audio = body["device_info"]["audio_service"]
    assert (audio["device"], audio["status"], len(audio["details"])) == ("cpu", "online", 2)


async def test_models_are_partial_and_say_so_when_a_service_is_down(tmp_path: Path) -> None:
    async with api_server(tmp_path) as api:
        body = await models(api, OPENAI, DOWN)
        assert body["status"] == "partial"
        assert body["available_models"] == ["whisper-1", "large"]
        assert body["errors"] == {"http://w:2": "http://w:2 cannot be reached."}
        body = await models(api, DOWN)
        assert (body["status"], body["total_models"]) == ("unavailable", 0)


async def test_services_say_which_models_they_have_and_what_they_run_on() -> None:
    async with WhisperDouble() as openai, LivetranslateDouble() as livetranslate:
        engines = [
            OpenAIWhisper(openai.url, model="whisper-1"),
            LivetranslateWhisper(livetranslate.url),
            LivetranslateTranslation(livetranslate.url),
        ]
        described = [await engine.describe() for engine in engines]
        openai.models_status = 500
        livetranslate.mode = "garbage"
        failed = [await engine.describe() for engine in engines]
        for engine in engines:
            await engine.close()
    assert described[0].models == ("whisper-1",)
    assert described[1].models == ("whisper-base", "whisper-large")
    assert (described[1].device, described[1].acceleration) == ("npu", "openvino")
    assert described[2].device_type == "NPU"
    assert not any(one.error for one in described)
    assert all(one.error for one in failed)
