import asyncio
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from orchestration.audio.audio_files import read_audio_file
from orchestration.client.player import AudioTrack
from orchestration.services.ports import Hypothesis, TranscriptionRequest
from orchestration.session.file_transcription import transcribe_file


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 192_000])
def test_a_file_is_read_at_the_engines_rate_and_as_long_as_it_is(tmp_path: Path, rate: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate * 2) / rate)
    soundfile.write(tmp_path / "tone.flac", tone / 2, rate)
    audio = read_audio_file(tmp_path / "tone.flac", max_duration_s=10)
    expected = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000) / 2
    inner = slice(1000, -1000)
    assert audio.duration_ms == 2000
    assert audio.samples[inner] / 32_768 == pytest.approx(expected[inner], abs=0.01)


@pytest.mark.parametrize(
    ("name", "subtype", "loudness"),
    [
        ("editor.wav", "FLOAT", 0.5),
        ("editor.wav", "DOUBLE", 0.5),
        ("browser.ogg", "OPUS", 0.5),
        ("too_loud.wav", "FLOAT", 3.0),
        ("too_loud.ogg", "OPUS", 0.99),
    ],
)
def test_files_of_floats_are_as_loud_as_they_are_and_never_wrap(
    tmp_path: Path, name: str, subtype: str, loudness: float
) -> None:
    tone = loudness * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    soundfile.write(tmp_path / name, tone, 16_000, subtype=subtype)
    expected = np.clip(tone, -1, 1)
    inner = slice(1000, -1000)
    heard = read_audio_file(tmp_path / name, max_duration_s=10).samples / 32_768
    assert heard[inner] == pytest.approx(expected[inner], abs=0.1)
    played = np.frombuffer(AudioTrack(0, tmp_path / name).read_until(16_000), "<i2") / 32_768
    assert played[inner] == pytest.approx(expected[inner], abs=0.1)


def test_values_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    assert not read_audio_file(tmp_path / "nan.wav", max_duration_s=10).samples.any()
    assert not any(AudioTrack(0, tmp_path / "nan.wav").read_until(16_000))


def test_a_small_file_at_a_high_rate_takes_no_more_memory_than_one_at_the_engines(
    tmp_path: Path,
) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(192_000 * 60, np.int16), 192_000)
    tracemalloc.start()
    try:
        audio = read_audio_file(path, max_duration_s=60)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert audio.duration_ms == 60_000
    assert peak_bytes < 3 * audio.samples.nbytes


class NobodySpeaks:
    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        raise AssertionError

    async def translate(self, request: object) -> str:
        raise AssertionError


async def test_others_get_their_turn_while_a_file_of_silence_is_looked_through(
    tmp_path: Path,
) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(16_000 * 20, np.int16), 16_000)
    audio = read_audio_file(path, max_duration_s=60)
    hearing = asyncio.ensure_future(
        transcribe_file(audio, NobodySpeaks(), request_id="f", language=None, prompt="")
    )
    turns = 0
    while not hearing.done():
        turns += 1
        await asyncio.sleep(0)
    assert (await hearing).lines == ()
    assert turns >= 20
