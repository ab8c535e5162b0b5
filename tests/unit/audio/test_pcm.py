import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.audio.pcm import PcmFormat, check_format, decode_mono, resample_for_engine
from orchestration.errors import BadAudio

S16 = st.integers(-32768, 32767)


@given(st.lists(S16))
def test_mono_s16_decodes_to_itself(values: list[int]) -> None:
    pcm = decode_mono(np.array(values, "<i2").tobytes(), PcmFormat("s16le", 16_000, 1))
    assert pcm.samples.tolist() == values
    assert pcm.samples.dtype == np.int16


@given(st.lists(st.tuples(S16, S16)))
def test_stereo_s16_decodes_to_the_mean_of_its_channels(pairs: list[tuple[int, int]]) -> None:
    payload = np.array(pairs, "<i2").tobytes()
    pcm = decode_mono(payload, PcmFormat("s16le", 48_000, 2))
    assert pcm.samples.tolist() == [(left + right) // 2 for left, right in pairs]


@given(st.lists(S16))
def test_f32_made_from_s16_decodes_to_the_same_samples(values: list[int]) -> None:
    payload = (np.array(values, "<f4") / np.float32(32768)).tobytes()
    pcm = decode_mono(payload, PcmFormat("f32le", 16_000, 1))
    assert pcm.samples.tolist() == values
    assert (pcm.non_finite, pcm.clipped) == (0, 0)


def test_non_finite_values_become_silence_and_are_counted() -> None:
    payload = np.array([0.5, np.nan, np.inf, -np.inf, 0.25], "<f4").tobytes()
    pcm = decode_mono(payload, PcmFormat("f32le", 16_000, 1))
    assert pcm.samples.tolist() == [16384, 0, 0, 0, 8192]
    assert (pcm.non_finite, pcm.clipped) == (3, 0)


def test_values_beyond_one_are_clipped_and_counted_but_one_itself_is_not() -> None:
    payload = np.array([1.0, -1.0, 1.5, -3e38], "<f4").tobytes()
    pcm = decode_mono(payload, PcmFormat("f32le", 16_000, 1))
    assert pcm.samples.tolist() == [32767, -32768, 32767, -32768]
    assert (pcm.non_finite, pcm.clipped) == (0, 2)


def test_a_channel_is_clipped_before_it_is_averaged() -> None:
    payload = np.array([[3.0, 0.0], [np.nan, 0.5]], "<f4").tobytes()
    pcm = decode_mono(payload, PcmFormat("f32le", 16_000, 2))
    assert pcm.samples.tolist() == [16384, 8192]
    assert (pcm.non_finite, pcm.clipped) == (1, 1)


@pytest.mark.parametrize(
    ("fmt", "size"),
    [
        (PcmFormat("s16le", 16_000, 1), 3),
        (PcmFormat("s16le", 16_000, 2), 6),
        (PcmFormat("f32le", 16_000, 1), 6),
        (PcmFormat("f32le", 16_000, 2), 12),
    ],
)
def test_bytes_that_are_not_whole_samples_are_refused_with_both_sizes(
    fmt: PcmFormat, size: int
) -> None:
    with pytest.raises(BadAudio) as refusal:
        decode_mono(bytes(size), fmt)
    assert refusal.value.facts == {"payload_bytes": size, "sample_bytes": fmt.sample_bytes}


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000])
def test_the_documented_formats_are_accepted(rate: int) -> None:
    check_format(PcmFormat("s16le", rate, 1))
    check_format(PcmFormat("f32le", rate, 2))


@pytest.mark.parametrize(
    ("fmt", "fact", "limit"),
    [
        (PcmFormat("mp3", 16_000, 1), "encodings", ["s16le", "f32le"]),  # type: ignore[arg-type]
        (PcmFormat("s16le", 7999, 1), "min_sample_rate", 8000),
        (PcmFormat("s16le", 48_001, 1), "max_sample_rate", 48_000),
        (PcmFormat("s16le", 16_000, 0), "min_channels", 1),
        (PcmFormat("s16le", 16_000, 3), "max_channels", 2),
    ],
)
def test_a_format_outside_the_limits_is_refused_and_told_them(
    fmt: PcmFormat, fact: str, limit: object
) -> None:
    with pytest.raises(BadAudio) as refusal:
        check_format(fmt)
    assert refusal.value.facts[fact] == limit


def test_audio_at_the_engine_rate_passes_through() -> None:
    samples = np.arange(-500, 500, dtype=np.int16)
    assert resample_for_engine(samples, 16_000) == samples.astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_keeps_a_tone_and_its_duration(rate: int) -> None:
    seconds = np.arange(rate) / rate
    tone = (10_000 * np.sin(2 * np.pi * 1000 * seconds)).astype(np.int16)
    audio = resample_for_engine(tone, rate)
    heard = np.frombuffer(audio, "<i2").astype(float)
    wanted = 10_000 * np.sin(2 * np.pi * 1000 * np.arange(len(heard)) / 16_000)
    assert abs(len(heard) - 16_000) <= 1
    assert np.abs(heard - wanted)[500:-500].max() < 50
    assert audio == resample_for_engine(tone, rate)


def test_resampling_nothing_gives_nothing() -> None:
    assert resample_for_engine(np.zeros(0, np.int16), 48_000) == b""


def test_the_audio_package_loads_no_scipy() -> None:
    program = (
        "import sys, orchestration.audio.chunker, orchestration.audio.rolling_buffer,"
        " orchestration.audio.pcm; sys.exit('scipy' in sys.modules or 'pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
