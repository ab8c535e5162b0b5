"""Recordings: journaled frames to FLAC, bit for bit."""

import io
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from orchestration.api.recording import FlacWriter, make_recording, pieces, to_s16
from orchestration.audio.pcm import PcmFormat
from orchestration.errors import NoRecording
from orchestration.storage.ports import JournalFrame

STEREO = PcmFormat("s16le", 44_100, 2)


def journal_frame(seq: int, first_sample: int, values: np.ndarray) -> JournalFrame:
    payload = values.astype("<i2").tobytes()
    return JournalFrame(0, seq, first_sample, len(values), bytes(16), payload)


async def stream_of(*frames: JournalFrame) -> AsyncIterator[JournalFrame]:
    for frame in frames:
        yield frame


def test_a_capture_gap_is_silence_of_its_length() -> None:
    loud = np.full((100, 2), 1234)
    target = io.BytesIO()
    writer = FlacWriter(target, STEREO)
    writer.write([journal_frame(0, 0, loud), journal_frame(1, 100_000, loud)])
    writer.close()

    target.seek(0)
    values, rate = soundfile.read(target, dtype="int16")

    assert rate == 44_100
    assert values.shape == (100_100, 2)
    assert (values[:100] == 1234).all()
    assert not values[100:100_000].any()
    assert (values[100_000:] == 1234).all()


def test_float_samples_are_clipped_and_what_is_not_finite_is_silent() -> None:
    payload = np.array([0.5, 2.0, -2.0, np.nan, np.inf], "<f4").tobytes()

    values = to_s16(payload, PcmFormat("f32le", 16_000, 1))

    assert values[:, 0].tolist() == [16_384, 32_767, -32_768, 0, 0]


async def test_a_recording_leaves_no_file_behind(tmp_path: Path) -> None:
    values = np.arange(-500, 500).reshape(-1, 2)
    file = await make_recording(stream_of(journal_frame(0, 0, values)), STEREO, tmp_path / "r")

    read, _ = soundfile.read(io.BytesIO(b"".join(pieces(file))), dtype="int16")

    assert (read == values).all()
    assert file.closed
    assert list((tmp_path / "r").iterdir()) == []


async def test_a_stream_without_frames_has_no_recording(tmp_path: Path) -> None:
    with pytest.raises(NoRecording):
        await make_recording(stream_of(), STEREO, tmp_path)


async def test_a_long_recording_is_written_batch_by_batch(tmp_path: Path) -> None:
    block = np.full((8000, 2), 7)
    frames = (journal_frame(seq, seq * 8000, block) for seq in itertools.count())
    file = await make_recording(stream_of(*itertools.islice(frames, 50)), STEREO, tmp_path)

    with file:
        assert soundfile.info(file).frames == 400_000
