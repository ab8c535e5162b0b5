"""Whole files of audio, as a person uploads them: WAV, FLAC, Ogg and MP3, by libsndfile.

What is kept of a file is at the engine's rate: a small file may hold hours at a high one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from orchestration.audio.pcm import PcmFormat, decode_mono
from orchestration.errors import BadAudio, TooLarge
from orchestration.services.ports import ENGINE_SAMPLE_RATE

BLOCK_FRAMES = 65_536
"""Samples of each channel that are read at once: what a file costs beyond its mixed audio."""
LEAST_RATE, MOST_RATE = 8_000, 192_000
"""Samples a second that a file may have."""
MOST_CHANNELS = 8
"""Channels that a file may have; beyond these limits it is refused with `BadAudio`."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class AudioFile:
    """Mono samples of a file, at `ENGINE_SAMPLE_RATE`."""

    samples: Samples

    @property
    def duration_ms(self) -> int:
        return len(self.samples) * 1000 // ENGINE_SAMPLE_RATE


def read_audio_file(path: Path, *, max_duration_s: int) -> AudioFile:
    """The file's audio, its channels mixed; blocks.

    It is what the file holds that counts, not what its header says: reading stops at the limit.

    Raises:
        BadAudio: the file is not audio that libsndfile reads.
        TooLarge: it lasts longer than `max_duration_s`.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate, channels = int(file.samplerate), int(file.channels)
            _check_shape(rate, channels)
            resampled = _resampling(rate)
            blocks: list[Samples] = []
            left = max_duration_s * rate
            fmt = PcmFormat("f32le", rate, channels)
            # As floats: libsndfile does not scale float files to integers, and wraps loud Opus.
            while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                left -= len(block)
                if left < 0:
                    raise TooLarge(
                        f"The audio lasts longer than {max_duration_s} s, which is the limit.",
                        {"limit": "max_duration_s", "max": max_duration_s},
                    )
                blocks.append(resampled(decode_mono(block.tobytes(), fmt).samples, False))
    except soundfile.SoundFileError as error:
        raise BadAudio(
            "The file is not audio that this service reads: send WAV, FLAC, Ogg or MP3."
        ) from error
    blocks.append(resampled(np.zeros(0, np.int16), True))
    return AudioFile(np.concatenate(blocks))


def _resampling(rate: int) -> Callable[[Samples, bool], Samples]:
    """What makes blocks at `rate`, the last of them marked, into blocks at the engine's."""
    if rate == ENGINE_SAMPLE_RATE:
        return lambda block, _: block
    stream = soxr.ResampleStream(rate, ENGINE_SAMPLE_RATE, 1, dtype="int16", quality="HQ")
    return lambda block, last: stream.resample_chunk(block, last=last)


def _check_shape(sample_rate: int, channels: int) -> None:
    if not LEAST_RATE <= sample_rate <= MOST_RATE or not 1 <= channels <= MOST_CHANNELS:
        raise BadAudio(
            f"Audio of {sample_rate} Hz and {channels} channels is not taken: "
            f"{LEAST_RATE} to {MOST_RATE} Hz and 1 to {MOST_CHANNELS} channels are.",
            {"sample_rate": sample_rate, "channels": channels},
        )
