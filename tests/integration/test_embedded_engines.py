"""The embedded engines with the models that come from packages."""

import asyncio
import json
import multiprocessing
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import soundfile

from orchestration.errors import EngineError, ModelMissing
from orchestration.services.embedded_translation import MAX_TEXT_CHARACTERS, EmbeddedTranslation
from orchestration.services.embedded_whisper import EmbeddedWhisper
from orchestration.services.ports import (
    ENGINE_SAMPLE_RATE,
    Hypothesis,
    HypothesisWord,
    TranscriptionRequest,
    TranslationRequest,
)
from orchestration.services.whisper_models import BASE_MODEL_BYTES, locate_model
from tests.scoring import normalise_text, word_error_rate

DATA = Path(__file__).parents[1] / "data"
READING_TEXT = (DATA / "reading.txt").read_text()


def request(audio: bytes, language: str | None = "en", prompt: str = "") -> TranscriptionRequest:
    return TranscriptionRequest("s", 0, 0, audio, language, prompt)


def words_of(hypothesis: Hypothesis) -> list[HypothesisWord]:
    return [word for segment in hypothesis.segments for word in segment.words]


def text_of(hypothesis: Hypothesis) -> str:
    return " ".join(word.text for word in words_of(hypothesis))


@pytest.fixture(scope="module")
def reading() -> bytes:
    samples, sample_rate = soundfile.read(DATA / "reading.flac", dtype="int16")
    assert sample_rate == ENGINE_SAMPLE_RATE
    return bytes(samples.tobytes())


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
async def base(cache_dir: Path) -> AsyncIterator[EmbeddedWhisper]:
    engine = EmbeddedWhisper("base", cache_dir=cache_dir, threads=2)
    await engine.warm_up()
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
async def heard(base: EmbeddedWhisper, reading: bytes) -> Hypothesis:
    return await base.transcribe(request(reading))


def test_base_reads_almost_every_word_of_a_human_reader(heard: Hypothesis) -> None:
    errors = word_error_rate(READING_TEXT, text_of(heard))
    assert errors.substitutions + errors.deletions + errors.insertions <= 0.05 * len(
        normalise_text(READING_TEXT)
    )


def test_words_start_where_they_are_spoken(heard: Hypothesis) -> None:
    said = json.loads((DATA / "reading.json").read_text())["words"]
    starts_ms = {
        normalise_text(one["text"])[0]: one["start_sample"] * 1000 // ENGINE_SAMPLE_RATE
        for one in said
        # A word said twice could be compared with its other self.
        if [other["text"] for other in said].count(one["text"]) == 1
    }
    errors_ms = [
        abs(word.start_ms - starts_ms[key])
        for word in words_of(heard)
        if (key := (normalise_text(word.text) or [""])[0]) in starts_ms
    ]
    assert len(errors_ms) >= len(starts_ms) // 2
    assert median(errors_ms) <= 150


def test_hyphenated_words_are_whole(heard: Hypothesis) -> None:
    assert not [word.text for word in words_of(heard) if word.text.startswith("-")]


async def test_the_language_is_recognised_when_it_is_not_given(
    base: EmbeddedWhisper, reading: bytes
) -> None:
    hypothesis = await base.transcribe(request(reading[: 8 * ENGINE_SAMPLE_RATE], language=None))
    assert hypothesis.language == "en"


async def test_a_long_prompt_leaves_room_for_the_words(
    base: EmbeddedWhisper, reading: bytes
) -> None:
    chunk = request(reading[: 8 * ENGINE_SAMPLE_RATE], prompt="Sense and Sensibility. " * 200)
    assert words_of(await base.transcribe(chunk))


async def test_noise_yields_nothing_or_figures_that_betray_it(base: EmbeddedWhisper) -> None:
    noise = np.random.default_rng(1).normal(0, 300, 4 * ENGINE_SAMPLE_RATE).astype("<i2")
    for segment in (await base.transcribe(request(noise.tobytes()))).segments:
        assert segment.no_speech_probability is not None
        assert segment.compression_ratio is not None
        assert segment.no_speech_probability > 0.6 or segment.compression_ratio > 2.4


async def test_a_request_cancelled_in_the_queue_is_never_transcribed(
    base: EmbeddedWhisper, reading: bytes
) -> None:
    first = asyncio.create_task(base.transcribe(request(reading)))
    waiting = [asyncio.create_task(base.transcribe(request(reading))) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    assert words_of(await first)
    assert await asyncio.gather(*waiting, return_exceptions=True)
    assert words_of(await base.transcribe(request(reading[: 8 * ENGINE_SAMPLE_RATE])))


async def test_an_english_model_answers_in_english_whatever_it_is_asked(
    cache_dir: Path, reading: bytes
) -> None:
    engine = EmbeddedWhisper("tiny.en", cache_dir=cache_dir)
    chunk = request(reading[: 8 * ENGINE_SAMPLE_RATE], language="pt")
    assert (await engine.transcribe(chunk)).language == "en"
    await engine.close()


def _locate(cache_dir: Path) -> Path | str:
    return locate_model("base", cache_dir)


def test_processes_that_join_the_model_at_once_all_get_it_whole(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        folders = pool.map(_locate, [tmp_path / "models"] * 2)
    assert set(folders) == {tmp_path / "models" / "whisper-base"}
    assert (tmp_path / "models" / "whisper-base" / "model.bin").stat().st_size == BASE_MODEL_BYTES
    assert [entry.name for entry in (tmp_path / "models").iterdir()] == ["whisper-base"]


def test_a_damaged_model_in_the_cache_is_made_anew(tmp_path: Path) -> None:
    damaged = tmp_path / "whisper-base"
    damaged.mkdir()
    (damaged / "model.bin").write_bytes(b"half")
    assert locate_model("base", tmp_path) == damaged
    assert (damaged / "model.bin").stat().st_size == BASE_MODEL_BYTES


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelMissing, match="cannot be put into"):
        locate_model("base", tmp_path / "file" / "models")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"no model\.bin"):
        EmbeddedWhisper(str(tmp_path), cache_dir=tmp_path)


def test_a_folder_with_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(bytes(100))
    with pytest.raises(ModelMissing, match="damaged or of another kind"):
        EmbeddedWhisper(str(tmp_path), cache_dir=tmp_path)


def test_a_name_that_nobody_knows_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="set WHISPER_MODEL"):
        EmbeddedWhisper("no-such-model", cache_dir=tmp_path)


@pytest.fixture(scope="module")
async def translation() -> AsyncIterator[EmbeddedTranslation]:
    engine = EmbeddedTranslation()
    yield engine
    await engine.close()


@pytest.mark.parametrize(
    ("text", "source", "target", "expected"),
    [
        ("Thank you.", "en", "pt", "obrigado"),
        ("Obrigado.", "pt", "en", "thank"),
    ],
)
async def test_thanks_are_thanks_in_both_languages(
    translation: EmbeddedTranslation, text: str, source: str, target: str, expected: str
) -> None:
    translated = await translation.translate(TranslationRequest("s", "g", text, source, target))
    assert expected in translated.casefold()


async def test_no_sentence_of_a_long_text_is_left_out(translation: EmbeddedTranslation) -> None:
    text = "We will release the new website on Friday. " * 20
    translated = await translation.translate(TranslationRequest("s", "g", text, "en", "pt"))
    assert translated.count("sexta-feira") == 20


async def test_an_empty_translation_of_a_text_is_an_engine_error(
    translation: EmbeddedTranslation,
) -> None:
    with pytest.raises(EngineError, match="did not answer with a translation"):
        await translation.translate(TranslationRequest("s", "g", "\u200b", "en", "pt"))


async def test_a_text_over_the_limit_is_refused_by_name(translation: EmbeddedTranslation) -> None:
    text = "a" * (MAX_TEXT_CHARACTERS + 1)
    with pytest.raises(EngineError) as raised:
        await translation.translate(TranslationRequest("s", "g", text, "en", "pt"))
    assert raised.value.facts["limit"] == "max_text_characters"
