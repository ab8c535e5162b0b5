from collections.abc import AsyncIterator

import pytest

from orchestration.errors import EngineError, UnsupportedLanguagePair
from orchestration.services.ports import TranslationRequest
from orchestration.services.translation_libretranslate import PAIRS_LIFETIME_S, LibreTranslate
from tests.doubles.faulty_server import FaultMode
from tests.doubles.libretranslate_server import LibreTranslateDouble


def asked(text: str = "Hello", source: str = "en", target: str = "pt") -> TranslationRequest:
    return TranslationRequest("s", "g", text, source, target)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server() -> AsyncIterator[LibreTranslateDouble]:
    async with LibreTranslateDouble() as double:
        yield double


@pytest.fixture
async def engine(server: LibreTranslateDouble, clock: Clock) -> AsyncIterator[LibreTranslate]:
    translate = LibreTranslate(server.url + "/", api_key="k-1", timeout_s=10, clock=clock)
    yield translate
    await translate.close()


async def test_the_request_is_what_libretranslate_documents(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    assert await engine.translate(asked()) == "[en-pt] Hello"
    assert server.requests == [
        {"q": "Hello", "source": "en", "target": "pt", "format": "text", "api_key": "k-1"}
    ]


async def test_pairs_are_asked_for_once_until_they_are_old(
    server: LibreTranslateDouble, engine: LibreTranslate, clock: Clock
) -> None:
    await engine.translate(asked())
    clock.now_s = PAIRS_LIFETIME_S - 1
    await engine.translate(asked())
    assert server.languages_asked == 1
    clock.now_s = PAIRS_LIFETIME_S
    await engine.translate(asked())
    assert server.languages_asked == 2


async def test_a_pair_that_is_not_listed_costs_no_translation_request(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    with pytest.raises(UnsupportedLanguagePair):
        await engine.translate(asked(source="pt", target="es"))
    assert server.requests == []


async def test_the_services_own_regional_codes_are_used(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    server.pairs = {"en": ["zh-Hans", "zh-Hant", "pb"]}
    assert await engine.translate(asked(target="zh-CN")) == "[en-zh-Hans] Hello"
    assert await engine.translate(asked(target="pt-BR")) == "[en-pb] Hello"


async def test_without_a_list_of_languages_the_service_decides(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    server.lists_languages = False
    assert await engine.translate(asked()) == "[en-pt] Hello"
    with pytest.raises(UnsupportedLanguagePair):
        await engine.translate(asked(target="fi"))


async def test_a_pair_that_the_service_dropped_since_is_unsupported(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    await engine.translate(asked())
    server.pairs = {"en": ["es"]}
    with pytest.raises(UnsupportedLanguagePair):
        await engine.translate(asked())


@pytest.mark.parametrize("mode", ["server_error", "overloaded", "garbage", "truncated", "html"])
async def test_a_useless_answer_is_an_engine_error(
    server: LibreTranslateDouble, engine: LibreTranslate, mode: FaultMode
) -> None:
    server.mode = mode
    with pytest.raises(EngineError) as raised:
        await engine.translate(asked())
    assert raised.value.facts["url"] == f"{server.url}/translate"


async def test_json_without_a_translation_is_an_engine_error(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    server.raw = b'{"translatedText": ["Ol\\u00e1"]}'
    with pytest.raises(EngineError):
        await engine.translate(asked())


async def test_an_empty_translation_of_a_text_is_an_engine_error(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    server.translate = lambda text, source, target: " \u0007\n"
    with pytest.raises(EngineError, match="did not answer with a translation") as raised:
        await engine.translate(asked())
    assert raised.value.facts["url"] == f"{server.url}/translate"


async def test_a_translation_is_fit_to_be_stored(
    server: LibreTranslateDouble, engine: LibreTranslate
) -> None:
    server.raw = b'{"translatedText": "Ol\\u00e1\\u0000 \\ud800 "}'
    assert await engine.translate(asked()) == "Olá"
