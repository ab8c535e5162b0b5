"""What every transcription and every translation engine promises, whatever is behind it."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from orchestration.errors import UnsupportedLanguagePair
from orchestration.services.embedded_translation import EmbeddedTranslation
from orchestration.services.embedded_whisper import EmbeddedWhisper
from orchestration.services.languages import normalise_language
from orchestration.services.ports import (
    ENGINE_SAMPLE_RATE,
    Hypothesis,
    TranscriptionEngine,
    TranscriptionRequest,
    TranslationEngine,
    TranslationRequest,
)
from orchestration.services.translation_libretranslate import LibreTranslate
from orchestration.services.translation_livetranslate import LivetranslateTranslation
from orchestration.services.whisper_livetranslate import LivetranslateWhisper
from orchestration.services.whisper_openai import OpenAIWhisper
from tests.doubles.libretranslate_server import LibreTranslateDouble
from tests.doubles.livetranslate_server import LivetranslateDouble
from tests.doubles.whisper_server import WhisperDouble

READING = Path(__file__).parents[1] / "data" / "reading.flac"


def chunk(start_ms: int, end_ms: int, language: str | None = "en") -> TranscriptionRequest:
    samples, _ = soundfile.read(
        READING,
        start=start_ms * ENGINE_SAMPLE_RATE // 1000,
        stop=end_ms * ENGINE_SAMPLE_RATE // 1000,
        dtype="int16",
    )
    return TranscriptionRequest("s", 0, 0, samples.tobytes(), language, "")


def assert_sound(hypothesis: Hypothesis, request: TranscriptionRequest) -> None:
    assert hypothesis.engine
    assert hypothesis.language == normalise_language(hypothesis.language)
    words = [word for segment in hypothesis.segments for word in segment.words]
    for word in words:
        assert word.text == word.text.strip() != ""
        assert 0 <= word.start_ms <= word.end_ms <= request.duration_ms
        assert 0.0 <= word.probability <= 1.0
    for segment in hypothesis.segments:
        assert segment.words
        assert all(one.start_ms <= other.start_ms for one, other in pairwise(segment.words))
    assert pickle.loads(pickle.dumps(hypothesis)) == hypothesis


@pytest.fixture(scope="module", params=["openai", "livetranslate", "embedded"])
async def transcription(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TranscriptionEngine]:
    if request.param == "openai":
        async with WhisperDouble() as server:
            remote = OpenAIWhisper(server.url, model="tiny.en", timeout_s=30)
            yield remote
            await remote.close()
    elif request.param == "livetranslate":
        async with LivetranslateDouble() as server:
            engine = LivetranslateWhisper(server.url, timeout_s=30)
            yield engine
            await engine.close()
    else:
        embedded = EmbeddedWhisper("tiny.en", cache_dir=tmp_path_factory.mktemp("models"))
        yield embedded
        await embedded.close()


@pytest.fixture(scope="module", params=["libretranslate", "livetranslate", "embedded"])
async def translation(request: pytest.FixtureRequest) -> AsyncIterator[TranslationEngine]:
    if request.param == "libretranslate":
        async with LibreTranslateDouble() as server:
            remote = LibreTranslate(server.url, timeout_s=30)
            yield remote
            await remote.close()
    elif request.param == "livetranslate":
        async with LivetranslateDouble() as server:
            engine = LivetranslateTranslation(server.url, timeout_s=30)
            yield engine
            await engine.close()
    else:
        embedded = EmbeddedTranslation()
        yield embedded
        await embedded.close()


@pytest.mark.parametrize(("start_ms", "end_ms"), [(0, 4000), (4000, 4400), (2000, 12_000)])
async def test_words_lie_in_their_chunk_in_order(
    transcription: TranscriptionEngine, start_ms: int, end_ms: int
) -> None:
    request = chunk(start_ms, end_ms)
    assert_sound(await transcription.transcribe(request), request)


async def test_speech_gives_words(transcription: TranscriptionEngine) -> None:
    assert (await transcription.transcribe(chunk(0, 4000))).segments


async def test_a_chunk_without_samples_breaks_nothing(transcription: TranscriptionEngine) -> None:
    request = chunk(0, 0)
    assert_sound(await transcription.transcribe(request), request)


async def test_an_unknown_language_is_answered_with_a_code(
    transcription: TranscriptionEngine,
) -> None:
    hypothesis = await transcription.transcribe(chunk(0, 4000, language=None))
    assert hypothesis.language == "en"


async def test_chunks_asked_at_once_are_all_answered(transcription: TranscriptionEngine) -> None:
    requests = [chunk(start_ms, start_ms + 4000) for start_ms in (0, 2000, 4000)]
    answers = await asyncio.gather(*map(transcription.transcribe, requests))
    for request, answer in zip(requests, answers, strict=True):
        assert_sound(answer, request)


async def test_a_transcription_engine_that_works_is_healthy(
    transcription: TranscriptionEngine,
) -> None:
    status = await transcription.check()
    assert status.healthy
    assert status.name
    assert status.latency_ms >= 0


def asked(text: str, source: str, target: str) -> TranslationRequest:
    return TranslationRequest("s", "g", text, source, target)


async def test_a_translation_is_other_text(translation: TranslationEngine) -> None:
    text = "We release the new website on Friday."
    translated = await translation.translate(asked(text, "en", "pt"))
    assert translated == translated.strip() != text


async def test_regional_codes_are_taken_as_their_language(translation: TranslationEngine) -> None:
    text = "We release the new website on Friday."
    regional = await translation.translate(asked(text, "en-US", "pt-BR"))
    assert regional == await translation.translate(asked(text, "en", "pt"))


async def test_a_pair_that_the_engine_lacks_is_unsupported(translation: TranslationEngine) -> None:
    with pytest.raises(UnsupportedLanguagePair) as raised:
        await translation.translate(asked("Hello", "en", "fi"))
    assert raised.value.facts == {"source": "en", "target": "fi"}


@pytest.mark.parametrize(("text", "target"), [("Hello", "en-GB"), ("", "pt"), (" ", "pt")])
async def test_nothing_to_translate_comes_back_as_it_is(
    translation: TranslationEngine, text: str, target: str
) -> None:
    assert await translation.translate(asked(text, "en-US", target)) == text


async def test_texts_asked_at_once_get_their_own_translations(
    translation: TranslationEngine,
) -> None:
    texts = ["Good morning.", "Thank you.", "See you tomorrow."]
    requests = [asked(text, "en", "pt") for text in texts]
    at_once = await asyncio.gather(*map(translation.translate, requests))
    assert at_once == [await translation.translate(request) for request in requests]


async def test_a_translation_engine_that_works_is_healthy(translation: TranslationEngine) -> None:
    assert (await translation.check()).healthy
