"""PCM as FLAC: 16 bit, at a stream's own rate and channels."""

import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from orchestration.audio.pcm import FULL_SCALE, PcmFormat
from orchestration.storage.values import JournalFrame

FlacError = soundfile.SoundFileError
"""What libsndfile raises when it cannot write or read."""

SILENCE_BLOCK_SAMPLES = 48_000
"""Silence is written in blocks, however long the gap."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioRun:
    """Consecutive samples, `values` of shape [samples, channels], from `first_sample` on."""

    first_sample: int
    values: NDArray[np.int16]

    def since(self, sample: int) -> "AudioRun":
        """Its samples from `sample` on; all, where it begins later."""
        before = max(0, sample - self.first_sample)
        return AudioRun(self.first_sample + before, self.values[before:])


def to_s16(payload: bytes, pcm_format: PcmFormat) -> NDArray[np.int16]:
    """PCM as s16, shape [samples, channels]; f32 not finite becomes 0, beyond ±1 is clipped."""
    if pcm_format.encoding == "s16le":
        values = np.frombuffer(payload, "<i2").astype(np.int16)
    else:
        floats = np.nan_to_num(np.frombuffer(payload, "<f4"), nan=0.0, posinf=0.0, neginf=0.0)
        scaled = np.clip(np.rint(floats * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
        values = scaled.astype(np.int16)
    return values.reshape(-1, pcm_format.channels)


def run_of(frame: JournalFrame, pcm_format: PcmFormat) -> AudioRun:
    """A journaled frame's samples."""
    return AudioRun(frame.first_sample, to_s16(frame.payload, pcm_format))


class _Target:
    """A file whose first failed write is kept: raised where libsndfile calls, it would be lost, and
    what is there would be taken for the whole."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._fault: OSError | None = None

    def write(self, piece: bytes) -> int:
        if self._fault is None:
            try:
                return self._file.write(piece)
            except OSError as error:
                self._fault = error
        return len(piece)

    def seek(self, offset: int, whence: int = 0) -> int:
        if self._fault is None:
            try:
                return self._file.seek(offset, whence)
            except OSError as error:
                self._fault = error
        return offset

    def tell(self) -> int:
        return self._file.tell()

    def check(self) -> None:
        if self._fault is not None:
            raise self._fault


class FlacWriter:
    """Runs in order to FLAC, from `first_sample` on; gaps between them as silence.

    All raise OSError or `FlacError` when the target does not take what is written.
    """

    def __init__(self, target: BinaryIO, pcm_format: PcmFormat, first_sample: int = 0) -> None:
        self._channels = pcm_format.channels
        self._position = first_sample
        self._target = _Target(target)
        self._file = soundfile.SoundFile(
            self._target,
            mode="w",
            samplerate=pcm_format.sample_rate,
            channels=pcm_format.channels,
            format="FLAC",
            subtype="PCM_16",
        )

    def write(self, run: AudioRun) -> None:
        """Append a run, and silence where the capture skipped before it."""
        self._write_silence(run.first_sample - self._position)
        self._file.write(run.values)
        self._target.check()
        self._position = run.first_sample + len(run.values)

    def _write_silence(self, samples: int) -> None:
        while samples > 0:
            block = min(samples, SILENCE_BLOCK_SAMPLES)
            self._file.write(np.zeros((block, self._channels), np.int16))
            self._target.check()
            samples -= block

    def close(self) -> None:
        self._file.close()
        self._target.check()


def decode_flac(content: bytes) -> NDArray[np.int16]:
    """A FLAC file's samples, shape [samples, channels]."""
    values: NDArray[np.int16]
    values, _ = soundfile.read(io.BytesIO(content), dtype="int16", always_2d=True)
    return values
