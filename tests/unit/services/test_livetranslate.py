from collections.abc import AsyncIterator

import pytest

from orchestration.errors import EngineError, EngineTimeout
from orchestration.json_types import JsonValue
from orchestration.services.hypotheses import UNTIMED_PROBABILITY
from orchestration.services.ports import (
    ENGINE_SAMPLE_RATE,
    TranscriptionRequest,
    TranslationRequest,
)
from orchestration.services.translation_livetranslate import LivetranslateTranslation
from orchestration.services.whisper_livetranslate import LivetranslateWhisper
from tests.doubles.faulty_server import FaultMode
from tests.doubles.livetranslate_server import LivetranslateDouble

TWO_SECONDS = TranscriptionRequest("s1", 0, 0, bytes(4 * ENGINE_SAMPLE_RATE), "en", "")
LINE = TranslationRequest("s1", "g", "Hello", "en", "pt")


@pytest.fixture
async def service() -> AsyncIterator[LivetranslateDouble]:
    async with LivetranslateDouble() as running:
        yield running


@pytest.fixture
async def whisper(service: LivetranslateDouble) -> AsyncIterator[LivetranslateWhisper]:
    engine = LivetranslateWhisper(service.url)
    yield engine
    await engine.close()


@pytest.fixture
async def translation(service: LivetranslateDouble) -> AsyncIterator[LivetranslateTranslation]:
    engine = LivetranslateTranslation(service.url)
    yield engine
    await engine.close()


async def test_the_audio_goes_as_a_wav_with_language_and_session(
    service: LivetranslateDouble, whisper: LivetranslateWhisper
) -> None:
    await whisper.transcribe(TWO_SECONDS)
    (form,) = service.transcriptions
    assert form == {
        "audio": 44 + len(TWO_SECONDS.audio),
        "session_id": "s1",
        "enable_vad": "false",
        "language": "en",
    }


async def test_text_without_times_is_spread_over_the_chunk(whisper: LivetranslateWhisper) -> None:
    (segment,) = (await whisper.transcribe(TWO_SECONDS)).segments
    assert [word.text for word in segment.words] == ["Hello", "world."]
    assert {word.probability for word in segment.words} == {UNTIMED_PROBABILITY}


async def test_times_of_segments_are_kept_where_all_have_them(
    service: LivetranslateDouble, whisper: LivetranslateWhisper
) -> None:
    timed: JsonValue = {"text": "Hello world.", "start": 1.0, "end": 2.0}
    service.segments = [timed]
    (segment,) = (await whisper.transcribe(TWO_SECONDS)).segments
    assert segment.words[0].start_ms >= 1000
    service.segments = [timed, {"chunk": 7}]
    (segment,) = (await whisper.transcribe(TWO_SECONDS)).segments
    assert segment.words[0].start_ms < 1000


@pytest.mark.parametrize("said", ["auto", "unknown", ""])
async def test_a_language_that_is_none_is_the_one_asked_for(
    service: LivetranslateDouble, whisper: LivetranslateWhisper, said: str
) -> None:
    service.language = said
    assert (await whisper.transcribe(TWO_SECONDS)).language == "en"


@pytest.mark.parametrize("mode", ["server_error", "garbage", "html", "disconnect"])
async def test_a_useless_answer_is_an_engine_error(
    service: LivetranslateDouble,
    whisper: LivetranslateWhisper,
    translation: LivetranslateTranslation,
    mode: FaultMode,
) -> None:
    service.mode = mode
    with pytest.raises(EngineError):
        await whisper.transcribe(TWO_SECONDS)
    with pytest.raises(EngineError):
        await translation.translate(LINE)


async def test_an_empty_translation_of_a_text_is_an_engine_error(
    service: LivetranslateDouble, translation: LivetranslateTranslation
) -> None:
    service.raw = b'{"translated_text": " ", "backend_used": "local"}'
    with pytest.raises(EngineError, match="did not answer with a translation"):
        await translation.translate(LINE)


async def test_an_error_told_with_200_is_not_silence(
    service: LivetranslateDouble, whisper: LivetranslateWhisper
) -> None:
    service.answer = {"error": "the model is loading"}
    with pytest.raises(EngineError, match="neither segments nor text"):
        await whisper.transcribe(TWO_SECONDS)


async def test_no_answer_in_time_is_a_timeout(service: LivetranslateDouble) -> None:
    service.mode = "hang"
    translation = LivetranslateTranslation(service.url, timeout_s=0.1)
    with pytest.raises(EngineTimeout):
        await translation.translate(LINE)
    await translation.close()


async def test_a_line_goes_with_its_languages_and_session(
    service: LivetranslateDouble, translation: LivetranslateTranslation
) -> None:
    assert await translation.translate(LINE) == "[en-pt] Hello"
    assert service.translations == [
        {"text": "Hello", "source_language": "en", "target_language": "pt", "session_id": "s1"}
    ]
