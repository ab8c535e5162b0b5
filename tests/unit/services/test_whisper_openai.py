from collections.abc import AsyncIterator

import numpy as np
import pytest

from orchestration.errors import ConfigurationError, EngineError, EngineTimeout
from orchestration.services.http_upstream import EXCERPT_CHARACTERS, MAX_ANSWER_BYTES
from orchestration.services.ports import TranscriptionRequest
from orchestration.services.whisper_openai import OpenAIWhisper
from tests.doubles.faulty_server import RETRY_AFTER_S, FaultMode
from tests.doubles.whisper_server import WhisperDouble

RAMP = np.arange(-8000, 8000, dtype="<i2")
CHUNK = TranscriptionRequest("s", 0, 0, RAMP.tobytes(), "en", "Mr. Dashwood")


@pytest.fixture
async def server() -> AsyncIterator[WhisperDouble]:
    async with WhisperDouble() as double:
        yield double


@pytest.fixture
async def whisper(server: WhisperDouble) -> AsyncIterator[OpenAIWhisper]:
    engine = OpenAIWhisper(server.url, model="tiny", timeout_s=10)
    yield engine
    await engine.close()


async def failure(engine: OpenAIWhisper) -> EngineError:
    with pytest.raises(EngineError) as raised:
        await engine.transcribe(CHUNK)
    return raised.value


async def test_the_chunk_arrives_sample_by_sample_with_every_field(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    await whisper.transcribe(CHUNK)
    (call,) = server.requests
    assert call.sample_rate == 16_000
    assert np.array_equal(call.samples, RAMP)
    assert call.fields == {
        "model": ["tiny"],
        "language": ["en"],
        "prompt": ["Mr. Dashwood"],
        "response_format": ["verbose_json"],
        "timestamp_granularities[]": ["word", "segment"],
        "temperature": ["0"],
    }


async def test_an_unknown_language_and_an_empty_prompt_are_left_out(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    await whisper.transcribe(TranscriptionRequest("s", 0, 0, RAMP.tobytes(), None, ""))
    assert not {"language", "prompt"} & server.requests[0].fields.keys()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_base_url_is_taken_with_or_without_its_version(
    server: WhisperDouble, suffix: str
) -> None:
    engine = OpenAIWhisper(server.url + suffix, model="tiny", api_key="sk-1")
    hypothesis = await engine.transcribe(CHUNK)
    await engine.close()
    assert [word.text for word in hypothesis.segments[0].words] == ["Hello", "world."]
    assert server.requests[0].headers["Authorization"] == "Bearer sk-1"


@pytest.mark.parametrize("url", ["", "whisper:9000", "ftp://whisper", "http://", "http://[x"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError):
        OpenAIWhisper(url, model="tiny")


@pytest.mark.parametrize("mode", ["garbage", "truncated", "html"])
async def test_an_answer_that_is_no_json_is_an_error_with_an_excerpt(
    server: WhisperDouble, whisper: OpenAIWhisper, mode: FaultMode
) -> None:
    server.mode = mode
    error = await failure(whisper)
    assert error.facts["status"] == 200
    assert error.facts["url"] == f"{server.url}/v1/audio/transcriptions"
    excerpt = error.facts["excerpt"]
    assert isinstance(excerpt, str)
    assert 0 < len(excerpt) <= EXCERPT_CHARACTERS


async def test_json_that_is_no_transcription_is_an_error(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.answer = lambda samples: {"segments": "none"}
    assert "segments" in (await failure(whisper)).message


async def test_json_nested_beyond_reason_is_an_error(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.raw = b"[" * 200_000
    assert "JSON" in (await failure(whisper)).message


async def test_an_overloaded_service_says_when_to_come_back(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.mode = "overloaded"
    error = await failure(whisper)
    assert (error.facts["status"], error.facts["retry_after_s"]) == (429, RETRY_AFTER_S)


async def test_a_retry_date_is_read_against_the_services_own_clock(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.mode = "overloaded"
    server.retry_headers = {
        "Date": "Sun, 22 Nov 2026 12:00:00 GMT",
        "Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT",
    }
    assert (await failure(whisper)).facts["retry_after_s"] == 30


async def test_a_broken_service_is_an_error_with_its_own_words(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.mode = "server_error"
    error = await failure(whisper)
    assert error.facts["status"] == 500
    assert "out of memory" in str(error.facts["excerpt"])


async def test_an_answer_over_the_limit_is_not_read_to_its_end(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.mode = "oversize"
    assert (await failure(whisper)).facts["max_answer_bytes"] == MAX_ANSWER_BYTES


async def test_a_connection_that_breaks_is_an_error(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.mode = "disconnect"
    assert "cannot be reached" in (await failure(whisper)).message


async def test_a_service_that_hangs_is_a_timeout(server: WhisperDouble) -> None:
    server.mode = "hang"
    engine = OpenAIWhisper(server.url, model="tiny", timeout_s=0.05)
    error = await failure(engine)
    await engine.close()
    assert isinstance(error, EngineTimeout)
    assert error.facts["timeout_s"] == 0.05


@pytest.mark.parametrize("mode", ["server_error", "disconnect", "html", "overloaded"])
async def test_no_credentials_appear_in_an_error(server: WhisperDouble, mode: FaultMode) -> None:
    server.mode = mode
    with_password = server.url.replace("http://", "http://bot:hunter22@")
    engine = OpenAIWhisper(with_password, model="tiny")
    error = await failure(engine)
    status = await engine.check()
    await engine.close()
    for text in (str(error), repr(error.facts), repr(error.__cause__), repr(status), engine.name):
        assert "hunter22" not in text


async def test_a_key_that_the_service_repeats_is_masked(server: WhisperDouble) -> None:
    server.raw = b"Incorrect API key: sk-secret"
    engine = OpenAIWhisper(server.url, model="tiny", api_key="sk-secret")
    error = await failure(engine)
    await engine.close()
    assert error.facts["excerpt"] == "Incorrect API key: ***"


async def test_user_and_password_in_the_url_are_sent(server: WhisperDouble) -> None:
    engine = OpenAIWhisper(server.url.replace("//", "//bot:hunter22@"), model="tiny")
    await engine.transcribe(CHUNK)
    await engine.close()
    assert server.requests[0].headers["Authorization"].startswith("Basic ")


async def test_a_service_is_healthy_when_its_health_says_so(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    assert (await whisper.check()).healthy


async def test_a_service_without_health_is_judged_by_its_models(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.health_status = 404
    assert (await whisper.check()).healthy
    server.models_status = 401
    status = await whisper.check()
    assert (status.healthy, status.detail) == (False, "answered 401")


async def test_a_service_that_is_loading_its_model_is_not_healthy(
    server: WhisperDouble, whisper: OpenAIWhisper
) -> None:
    server.health_status = 503
    assert not (await whisper.check()).healthy


async def test_a_service_that_is_gone_is_not_healthy_and_says_why() -> None:
    async with WhisperDouble() as server:
        engine = OpenAIWhisper(server.url, model="tiny")
    status = await engine.check()
    await engine.close()
    assert not status.healthy
    assert "cannot be reached" in status.detail
