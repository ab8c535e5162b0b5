"""Whole files of audio, as a person uploads them, once they are samples."""

import io
import wave
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.audio.pcm import PcmFormat, check_format, decode_mono, resample_for_engine
from orchestration.errors import BadAudio
from orchestration.services.ports import ENGINE_SAMPLE_RATE

SHORT_WAV_BYTES = 4 * 2**20
"""A WAV file of s16 up to this is samples already, two minutes of them at the engine's rate; a
longer one is worth a process of its own."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class AudioFile:
    """Mono samples of a file, at `ENGINE_SAMPLE_RATE`."""

    samples: Samples

    @property
    def duration_ms(self) -> int:
        return len(self.samples) * 1000 // ENGINE_SAMPLE_RATE


def short_wav(file: bytes) -> AudioFile | None:
    """The audio of a short WAV file of s16 PCM, its channels mixed; None of any other file.

    There is nothing to decode in one, and what is done with its samples is what is done with a
    live stream's. All else is for `orchestration.services.decoding`, also what seems damaged.
    """
    if len(file) > SHORT_WAV_BYTES:
        return None
    try:
        with wave.open(io.BytesIO(file)) as reader:
            fmt = PcmFormat("s16le", reader.getframerate(), reader.getnchannels())
            if reader.getsampwidth() != 2:
                return None
            check_format(fmt)
            pcm = reader.readframes(reader.getnframes())
    except (wave.Error, EOFError, BadAudio):
        return None
    whole = pcm[: len(pcm) // fmt.sample_bytes * fmt.sample_bytes]
    if not whole:
        return None
    samples = decode_mono(whole, fmt).samples
    return AudioFile(np.frombuffer(resample_for_engine(samples, fmt.sample_rate), "<i2"))
