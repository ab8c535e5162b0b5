import asyncio
import io

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from orchestration.audio.audio_files import SHORT_WAV_BYTES, AudioFile, short_wav
from orchestration.services.ports import Hypothesis, TranscriptionRequest
from orchestration.session.file_transcription import transcribe_file


def sine(rate: int) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * 440 * np.arange(rate * 2) / rate) / 2


def written(
    samples: NDArray[np.float64], rate: int, subtype: str = "PCM_16", container: str = "WAV"
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_short_wav_is_read_at_the_engines_rate_and_as_long_as_it_is(
    rate: int, channels: int
) -> None:
    audio = short_wav(written(np.repeat(sine(rate)[:, None], channels, axis=1), rate))
    assert audio is not None
    inner = slice(1000, -1000)
    assert audio.duration_ms == 2000
    assert audio.samples[inner] / 32_768 == pytest.approx(sine(16_000)[inner], abs=0.01)


def test_a_wav_that_was_cut_off_or_claims_too_much_is_what_is_there() -> None:
    whole = written(sine(16_000), 16_000)
    for file in (whole[:-3], whole.replace(whole[40:44], b"\xff" * 4, 1)):
        audio = short_wav(file)
        assert audio is not None
        assert abs(len(audio.samples) - 32_000) <= 2


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"RIFF" + bytes(60),
        b"<html>no audio</html>",
        written(sine(16_000)[:0], 16_000),
        written(sine(16_000), 16_000, "FLOAT"),
        written(sine(16_000), 16_000, "PCM_24"),
        written(sine(16_000), 16_000, "ULAW"),
        written(sine(192_000), 192_000),
        written(sine(16_000), 16_000, "PCM_16", "FLAC"),
        written(np.zeros(SHORT_WAV_BYTES // 2), 16_000),
    ],
    ids=["empty", "zeros", "html", "none", "float", "24", "ulaw", "192k", "flac", "long"],
)
def test_all_other_files_are_for_the_decoder(file: bytes) -> None:
    assert short_wav(file) is None


class NobodySpeaks:
    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        raise AssertionError

    async def translate(self, request: object) -> str:
        raise AssertionError


async def test_others_get_their_turn_while_a_file_of_silence_is_looked_through() -> None:
    audio = AudioFile(np.zeros(16_000 * 20, np.int16))
    hearing = asyncio.ensure_future(
        transcribe_file(audio, NobodySpeaks(), request_id="f", language=None, prompt="")
    )
    turns = 0
    while not hearing.done():
        turns += 1
        await asyncio.sleep(0)
    assert (await hearing).lines == ()
    assert turns >= 20
