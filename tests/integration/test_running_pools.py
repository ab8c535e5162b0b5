"""The deployments' own objects, over services of real HTTP, while their pools change."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import engine_pool
from orchestration.config.models import Settings
from orchestration.errors import EngineTimeout
from orchestration.services.ports import (
    EngineDescription,
    EngineStatus,
    Hypothesis,
    TranscriptionRequest,
    TranslationRequest,
)
from tests.doubles.livetranslate_server import LivetranslateDouble
from tests.doubles.whisper_server import WhisperDouble

with warnings.catch_warnings():
    # Ray's own models still use what pydantic will no longer have one day.
    warnings.simplefilter("ignore", DeprecationWarning)
    from serve_app import Transcription, Translation

CHUNK = bytes(3200)


class Handle:
    """What a deployment has of the embedded engine's: methods with `remote`."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return _Method(getattr(self, f"_{name}"))

    async def _transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        self.calls += 1
        return Hypothesis("en", (), "embedded")

    async def _check(self) -> EngineStatus:
        return EngineStatus("faster-whisper:base", "embedded", True, 1)

    async def _describe(self) -> EngineDescription:
        return EngineDescription("faster-whisper:base", "embedded", ("base",), "cpu")


class _Method:
    def __init__(self, remote: Callable[..., Awaitable[object]]) -> None:
        self.remote = remote


def openai(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "kind": "openai", **more}


@asynccontextmanager
async def transcription(
    tmp_path: Path, *whisper: dict[str, Any], embedded: Any = None, diarizer: Any = None
) -> AsyncIterator[Transcription]:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "services": {"whisper": whisper, "timeout_s": 10}}
    )
    deployment = Transcription(settings, embedded, diarizer)
    try:
        yield deployment
    finally:
        await deployment.close()


def chunk(session: str, index: int = 0) -> TranscriptionRequest:
    return TranscriptionRequest(session, 0, index, CHUNK, "en", "")


async def test_a_running_pool_changes_under_load_without_losing_a_request(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(WhisperDouble()) for _ in range(3)]
        leaving, staying, new = services
        leaving.mode = staying.mode = "slow"
        pool = await stack.enter_async_context(
            transcription(tmp_path, openai(leaving.url), openai(staying.url))
        )
        has_begun, is_over = asyncio.Event(), asyncio.Event()

        async def meet(session: str) -> int:
            heard = 0
            while not is_over.is_set():
                await pool.transcribe(chunk(session, heard))
                heard += 1
                has_begun.set()
                if len(new.requests) >= 50:
                    is_over.set()
            return heard

        meetings = [asyncio.create_task(meet(f"s{index}")) for index in range(12)]
        await has_begun.wait()
        await pool.reconfigure({"upstreams": [openai(staying.url), openai(new.url, weight=3)]})
        asked_until_then = len(leaving.requests)
        heard = await asyncio.gather(*meetings)
    # Connections that were open when it left are its last requests'.
    assert len(leaving.requests) - asked_until_then <= 12
    assert sum(heard) == sum(len(one.requests) for one in services)


async def test_weights_of_three_one_and_one_are_obeyed_within_two_percent(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(LivetranslateDouble()) for _ in range(3)]
        upstreams = [
            {"url": one.url, "kind": "livetranslate", "weight": weight}
            for one, weight in zip(services, (3, 1, 1), strict=True)
        ]
        settings = Settings.model_validate(
            {"data_dir": tmp_path, "services": {"translation": upstreams}}
        )
        pool = Translation(settings, None)

        async def ask(session: str) -> None:
            for index in range(100):
                await pool.translate(TranslationRequest(session, str(index), "Hello", "en", "pt"))

        await asyncio.gather(*(ask(f"s{index}") for index in range(10)))
        await pool.close()
    counts = [len(one.translations) for one in services]
    assert sum(counts) == 1000
    for count, share in zip(counts, (600, 200, 200), strict=True):
        assert abs(count - share) <= 0.02 * share


async def test_the_embedded_engine_is_one_of_several_in_a_pool(tmp_path: Path) -> None:
    async with WhisperDouble() as service:
        handle = Handle()
        embedded = {"kind": "embedded", "weight": 1}
        async with transcription(
            tmp_path, openai(service.url, weight=3), embedded, embedded=handle
        ) as pool:
            for index in range(20):
                await pool.transcribe(chunk("s", index))
            assert (len(service.requests), handle.calls) == (15, 5)
            service.mode = "server_error"
            assert (await pool.transcribe(chunk("s"))).engine == "embedded"
            assert [one.kind for one in await pool.check()] == ["openai", "embedded"]
            assert [one.models for one in await pool.describe()] == [("whisper-1",), ("base",)]


async def test_a_drained_service_gets_nothing_until_it_has_a_weight_again(tmp_path: Path) -> None:
    async with (
        WhisperDouble() as first,
        WhisperDouble() as second,
        transcription(tmp_path, openai(first.url), openai(second.url)) as pool,
    ):
        await pool.reconfigure({"upstreams": [openai(first.url, weight=0), openai(second.url)]})
        for _ in range(4):
            await pool.transcribe(chunk("s"))
        assert (len(first.requests), len(second.requests)) == (0, 4)
        await pool.reconfigure({"upstreams": [openai(first.url), openai(second.url)]})
        for _ in range(4):
            await pool.transcribe(chunk("s"))
        assert len(first.requests) == 2


async def test_a_service_keeps_the_key_of_its_settings(tmp_path: Path) -> None:
    async with (
        WhisperDouble() as service,
        transcription(tmp_path, openai(service.url, api_key="their-key")) as pool,
    ):
        await pool.reconfigure({"upstreams": [openai(service.url, model="large")]})
        await pool.transcribe(chunk("s"))
        assert service.requests[0].headers["Authorization"] == "Bearer their-key"
        assert service.requests[0].fields["model"] == ["large"]


async def test_a_configuration_that_will_not_do_leaves_the_pool_as_it_was(tmp_path: Path) -> None:
    async with WhisperDouble() as service, transcription(tmp_path, openai(service.url)) as pool:
        unfit: list[object] = [
            None,
            {"services": []},
            {"upstreams": "http://x"},
            {"upstreams": [{"url": "http://x", "kind": "other"}]},
            {"upstreams": [{"url": "http://x", "kind": "libretranslate"}]},
            {"upstreams": [openai("ftp://x")]},
            {"upstreams": [openai(service.url), openai(service.url)]},
            {"upstreams": [openai(service.url, weight=0)]},
            {"upstreams": [{"kind": "embedded"}]},
            {"upstreams": []},
        ]
        for user_config in unfit:
            await pool.reconfigure(user_config)
            await pool.transcribe(chunk("s"))
        assert len(service.requests) == 10


async def test_a_pool_takes_up_its_new_time_tries_and_limits_and_keeps_its_services(
    tmp_path: Path,
) -> None:
    async with (
        WhisperDouble() as first,
        WhisperDouble() as second,
        transcription(tmp_path, openai(first.url), openai(second.url)) as pool,
    ):
        listed = [openai(second.url)]
        await pool.reconfigure({"upstreams": listed})
        second.mode, second.slow_s = "slow", 1.0
        under_way = asyncio.create_task(pool.transcribe(chunk("s")))
        while not second.requests:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await pool._take(1, settings_of(tmp_path, first, second, timeout_s=0.4))
        with pytest.raises(EngineTimeout, match=r"within 0\.[0-9]+ s"):
            await pool.transcribe(chunk("s", 1))
        # The one that was under way has the time and the connection that it began with.
        assert (await under_way).language == "en"
        await pool._take(2, settings_of(tmp_path, first, second, timeout_s=10))
        assert (await pool.transcribe(chunk("s", 2))).language == "en"
    assert len(first.requests) == 0
    assert len(second.requests) == 3


def settings_of(tmp_path: Path, *services: WhisperDouble, timeout_s: float) -> Settings:
    whisper = [openai(one.url) for one in services]
    return Settings.model_validate(
        {"data_dir": tmp_path, "services": {"whisper": whisper, "timeout_s": timeout_s}}
    )


async def test_the_diarizer_is_probed_as_a_part_of_its_own_and_never_holds_the_others_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_pool, "CHECK_TIMEOUT_S", 0.2)
    diarizer = Listener()
    async with (
        WhisperDouble() as service,
        transcription(tmp_path, openai(service.url), diarizer=diarizer) as pool,
    ):
        for is_there in (False, True, False):
            diarizer.is_there = is_there
            whisper, voices = await pool.check()
            assert (whisper.name, whisper.healthy, whisper.pool) == (service.url, True, "")
            assert (voices.name, voices.pool) == ("resemblyzer", "diarization")
            assert voices.healthy == is_there
            assert is_there or "did not answer" in voices.detail


class Listener(Handle):
    """The diarizer's deployment; while no replica is there, calls wait for one."""

    is_there = False

    async def _check(self) -> EngineStatus:
        if not self.is_there:
            await asyncio.Event().wait()
        return EngineStatus("resemblyzer", "embedded", True, 1)
