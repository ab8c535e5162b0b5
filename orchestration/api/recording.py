"""A stream's recording as one FLAC file."""

import asyncio
import contextlib
import tempfile
import threading
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
        recording = await asyncio.to_thread(_Recording, directory, pcm_format)
        try:
            written = 0
            async for batch in _batches(runs):
                written += len(batch)
                await asyncio.to_thread(recording.write, batch)
            if not written:
                raise NoRecording("No audio is held for this stream.")
            return await asyncio.to_thread(recording.finish)
        except BaseException:
            # Not awaited: of a caller that is gone, no wait would last. What is being written in a
            # worker thread by then goes on there, and comes first.
            asyncio.get_running_loop().run_in_executor(None, recording.discard)
            raise
    except (OSError, FlacError) as error:
        raise Unavailable(f"The recording cannot be put together: {error}.") from error


class _Recording:
    """A FLAC file under way. Blocking; one worker thread at a time, since libsndfile does not
    survive that a file is closed under a write."""

    def __init__(self, directory: Path, pcm_format: PcmFormat) -> None:
        self._turn = threading.Lock()
        self._target = _open_unlinked(directory)
        self._writer = FlacWriter(self._target, pcm_format)

    def write(self, batch: Sequence[AudioRun]) -> None:
        with self._turn:
            for run in batch:
                self._writer.write(run)

    def finish(self) -> BinaryIO:
        """The whole file, at its start."""
        with self._turn:
            self._writer.close()
            self._target.seek(0)
            return self._target

    def discard(self) -> None:
        """Close the file, whatever state it is in."""
        with self._turn, self._target, contextlib.suppress(OSError, FlacError):
            self._writer.close()


def _open_unlinked(directory: Path) -> BinaryIO:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=directory)


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
