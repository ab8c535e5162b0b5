"""A stream's recording as one FLAC file."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import NoRecording, Unavailable
from orchestration.storage.flac import AudioRun, FlacError, FlacWriter

BATCH_BYTES = 1_048_576
"""Audio encoded in one go on a worker thread."""
PIECE_BYTES = 65_536


async def make_recording(
    runs: AsyncIterator[AudioRun], pcm_format: PcmFormat, directory: Path
) -> BinaryIO:
    """The recording as an open file at its start, already unlinked: it is gone when closed.

    Memory holds one batch of runs at a time.

    Raises:
        NoRecording: there are no runs.
        Unavailable: there is no room for the file.
    """
    try:
        target = await asyncio.to_thread(_open_unlinked, directory)
        try:
            written = 0
            writer = FlacWriter(target, pcm_format)
            try:
                async for batch in _batches(runs):
                    written += len(batch)
                    await asyncio.to_thread(_write, writer, batch)
            finally:
                await asyncio.to_thread(writer.close)
            if not written:
                raise NoRecording("No audio is held for this stream.")
            target.seek(0)
        except BaseException:
            target.close()
            raise
    except (OSError, FlacError) as error:
        raise Unavailable(f"The recording cannot be put together: {error}.") from error
    return target


def _open_unlinked(directory: Path) -> BinaryIO:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=directory)


def _write(writer: FlacWriter, batch: Sequence[AudioRun]) -> None:
    for run in batch:
        writer.write(run)


async def _batches(runs: AsyncIterator[AudioRun]) -> AsyncIterator[list[AudioRun]]:
    batch: list[AudioRun] = []
    size = 0
    async for run in runs:
        batch.append(run)
        size += run.values.nbytes
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
