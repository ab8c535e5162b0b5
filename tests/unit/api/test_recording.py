"""Recordings: journaled frames to FLAC, bit for bit."""

import io
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from orchestration.api.recording import make_recording, pieces
from orchestration.audio.pcm import PcmFormat
from orchestration.errors import NoRecording, Unavailable
from orchestration.storage.flac import AudioRun

STEREO = PcmFormat("s16le", 44_100, 2)


def run_at(first_sample: int, values: np.ndarray) -> AudioRun:
    return AudioRun(first_sample, values.astype(np.int16))


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
