"""A stream's recording as FLAC, made of its journaled frames."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from orchestration.audio.pcm import FULL_SCALE, PcmFormat
from orchestration.errors import NoRecording
from orchestration.storage.ports import JournalFrame

BATCH_BYTES = 1_048_576
"""Audio encoded in one go on a worker thread."""
SILENCE_BLOCK_SAMPLES = 48_000
"""Silence is written in blocks, however long the gap."""
PIECE_BYTES = 65_536


def to_s16(payload: bytes, pcm_format: PcmFormat) -> NDArray[np.int16]:
    """PCM as s16, shape [samples, channels]; f32 not finite becomes 0, beyond ±1 is clipped."""
    if pcm_format.encoding == "s16le":
        values = np.frombuffer(payload, "<i2").astype(np.int16)
    else:
        floats = np.nan_to_num(np.frombuffer(payload, "<f4"), nan=0.0, posinf=0.0, neginf=0.0)
        scaled = np.clip(np.rint(floats * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
        values = scaled.astype(np.int16)
    return values.reshape(-1, pcm_format.channels)


class FlacWriter:
    """Frames in order to FLAC at the stream's own rate and channels, 16 bit; gaps as silence."""

    def __init__(self, target: BinaryIO, pcm_format: PcmFormat) -> None:
        self._format = pcm_format
        self._position = 0
        self._file = soundfile.SoundFile(
            target,
            mode="w",
            samplerate=pcm_format.sample_rate,
            channels=pcm_format.channels,
            format="FLAC",
            subtype="PCM_16",
        )

    def write(self, frames: Sequence[JournalFrame]) -> None:
        """Append frames, and silence where the capture skipped."""
        for frame in frames:
            self._write_silence(frame.first_sample - self._position)
            self._file.write(to_s16(frame.payload, self._format))
            self._position = frame.first_sample + frame.sample_count

    def _write_silence(self, samples: int) -> None:
        while samples > 0:
            block = min(samples, SILENCE_BLOCK_SAMPLES)
            self._file.write(np.zeros((block, self._format.channels), np.int16))
            samples -= block

    def close(self) -> None:
        self._file.close()


async def make_recording(
    frames: AsyncIterator[JournalFrame], pcm_format: PcmFormat, directory: Path
) -> BinaryIO:
    """The recording as an open file at its start, already unlinked: it is gone when closed.

    Memory holds one batch of frames at a time.

    Raises:
        NoRecording: there are no frames.
    """
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    target: BinaryIO = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - the caller closes it
    try:
        writer = FlacWriter(target, pcm_format)
        try:
            written = 0
            async for batch in _batches(frames):
                written += len(batch)
                await asyncio.to_thread(writer.write, batch)
        finally:
            await asyncio.to_thread(writer.close)
        if not written:
            raise NoRecording("No audio is held for this stream.")
        target.seek(0)
    except BaseException:
        target.close()
        raise
    return target


async def _batches(frames: AsyncIterator[JournalFrame]) -> AsyncIterator[list[JournalFrame]]:
    batch: list[JournalFrame] = []
    size = 0
    async for frame in frames:
        batch.append(frame)
        size += len(frame.payload)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def pieces(recording: BinaryIO) -> Iterator[bytes]:
    """The file piece by piece; closes it."""
    with recording:
        while piece := recording.read(PIECE_BYTES):
            yield piece
