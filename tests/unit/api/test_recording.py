"""Recordings: journaled frames to FLAC, bit for bit."""

import asyncio
import io
import itertools
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import soundfile

from orchestration.api import recording
from orchestration.api.recording import make_recording, pieces
from orchestration.audio.pcm import PcmFormat
from orchestration.errors import NoRecording, Unavailable
from orchestration.storage.flac import AudioRun, FlacWriter

STEREO = PcmFormat("s16le", 44_100, 2)


def run_at(first_sample: int, values: np.ndarray) -> AudioRun:
    return AudioRun(first_sample, values.astype(np.int16))


def full_disk() -> BinaryIO:
    """A file that takes nothing."""
    return open("/dev/full", "r+b", buffering=0)


async def stream_of(*runs: AudioRun) -> AsyncIterator[AudioRun]:
    for run in runs:
        yield run


async def test_a_recording_leaves_no_file_behind(tmp_path: Path) -> None:
    values = np.arange(-500, 500).reshape(-1, 2)
    file = await make_recording(stream_of(run_at(0, values)), STEREO, tmp_path / "r")

    read, _ = soundfile.read(io.BytesIO(b"".join(pieces(file))), dtype="int16")

    assert (read == values).all()
    assert file.closed
    assert list((tmp_path / "r").iterdir()) == []


async def test_a_stream_without_audio_has_no_recording(tmp_path: Path) -> None:
    with pytest.raises(NoRecording):
        await make_recording(stream_of(), STEREO, tmp_path)


async def test_a_long_recording_is_written_batch_by_batch(tmp_path: Path) -> None:
    block = np.full((8000, 2), 7)
    runs = (run_at(seq * 8000, block) for seq in itertools.count())
    file = await make_recording(stream_of(*itertools.islice(runs, 50)), STEREO, tmp_path)

    with file:
        assert soundfile.info(file).frames == 400_000


async def test_a_work_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("a file")
    with pytest.raises(Unavailable, match="cannot be put together"):
        await make_recording(stream_of(), STEREO, tmp_path / "r")


@pytest.mark.parametrize("batch_bytes", [1, 1_000_000])
async def test_a_recording_for_which_the_disk_has_no_room_is_said_and_none_is_sent(
    batch_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_open_unlinked", lambda directory: full_disk())
    monkeypatch.setattr(recording, "BATCH_BYTES", batch_bytes)
    noise = np.random.default_rng(1).integers(-9000, 9000, (9000, 2))
    with pytest.raises(Unavailable, match="No space left"):
        await make_recording(stream_of(run_at(0, noise), run_at(9000, noise)), STEREO, tmp_path)


async def test_a_recording_that_is_given_up_is_not_closed_under_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    done: list[str] = []

    class SlowWriter(FlacWriter):
        def write(self, run: AudioRun) -> None:
            writing.set()
            go_on.wait(10)
            super().write(run)
            done.append("written")

        def close(self) -> None:
            done.append("closed")
            super().close()
            closed.set()

    monkeypatch.setattr(recording, "FlacWriter", SlowWriter)
    runs = stream_of(run_at(0, np.zeros((8, 2))))
    making = asyncio.create_task(make_recording(runs, STEREO, tmp_path))
    await asyncio.to_thread(writing.wait, 10)
    making.cancel()
    await asyncio.wait([making])
    go_on.set()
    await asyncio.to_thread(closed.wait, 10)
    assert making.cancelled()
    assert done == ["written", "closed"]
