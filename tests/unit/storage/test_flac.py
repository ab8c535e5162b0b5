"""PCM as FLAC."""

import io

import numpy as np
import soundfile

from orchestration.audio.pcm import PcmFormat
from orchestration.storage.flac import AudioRun, FlacWriter, to_s16

STEREO = PcmFormat("s16le", 44_100, 2)


def test_a_capture_gap_is_silence_of_its_length() -> None:
    loud = np.full((100, 2), 1234, np.int16)
    target = io.BytesIO()
    writer = FlacWriter(target, STEREO)
    writer.write(AudioRun(0, loud))
    writer.write(AudioRun(100_000, loud))
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
