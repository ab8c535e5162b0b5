from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestration.audio.voice_activity import VoiceActivityGate, VoiceWindow
from orchestration.errors import BadAudio

READING = Path(__file__).parents[2] / "data" / "reading.flac"
RATES = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000]


@pytest.fixture(scope="module")
def reading() -> NDArray[np.int16]:
    """The first ten seconds of a person reading, mono at 16 kHz."""
    samples, rate = soundfile.read(READING, dtype="int16", frames=160_000)
    assert rate == 16_000
    return np.asarray(samples, np.int16)


def square(level_dbfs: float, count: int) -> NDArray[np.int16]:
    """A 5 kHz tone at 16 kHz, of a known RMS: nothing that webrtcvad takes for speech."""
    amplitude: float = 32_768 * 10 ** (level_dbfs / 20) * np.sqrt(2)
    return (amplitude * np.sin(2 * np.pi * 5000 * np.arange(count) / 16_000)).astype(np.int16)


def speech_samples(windows: list[VoiceWindow]) -> int:
    return sum(window.end - window.start for window in windows if window.is_speech)


@given(st.sampled_from(RATES), st.integers(0, 10_000), st.lists(st.integers(0, 5000), max_size=8))
@settings(max_examples=50)
def test_windows_are_the_same_however_the_audio_is_split(
    rate: int, start: int, sizes: list[int]
) -> None:
    noise = np.random.default_rng(1).normal(0, 3000, sum(sizes)).astype(np.int16)
    whole = VoiceActivityGate(rate, 2, start=start)
    expected = whole.feed(start, noise) + whole.flush()
    gate, windows, at = VoiceActivityGate(rate, 2, start=start), list[VoiceWindow](), 0
    for size in sizes:
        windows += gate.feed(start + at, noise[at : at + size])
        at += size
    assert windows + gate.flush() == expected


@pytest.mark.parametrize("rate", RATES)
def test_windows_tile_the_stream_and_do_not_drift(rate: int) -> None:
    gate = VoiceActivityGate(rate, 2, start=7)
    windows = gate.feed(7, np.zeros(rate * 3 + 5, np.int16))
    bounds = [7 + k * rate // 50 for k in range(151)]
    assert [(w.start, w.end) for w in windows] == list(pairwise(bounds))
    assert gate.flush() == [VoiceWindow(7 + rate * 3, 7 + rate * 3 + 5, False)]
    assert gate.flush() == []


@pytest.mark.parametrize("rate", RATES)
def test_read_speech_is_speech_at_every_rate_and_silence_is_not(
    rate: int, reading: NDArray[np.int16]
) -> None:
    audio = soxr.resample(reading, 16_000, rate)
    gate = VoiceActivityGate(rate, 2)
    heard = speech_samples(gate.feed(0, audio))
    assert heard > 0.8 * len(audio)
    gate.reset(len(audio))
    assert speech_samples(gate.feed(len(audio), np.zeros(rate * 5, np.int16))) == 0


def test_loud_audio_is_speech_whatever_the_detector_says() -> None:
    quiet, loud = square(-36.0, 16_000), square(-34.0, 16_000)
    assert speech_samples(VoiceActivityGate(16_000, 3).feed(0, quiet)[10:]) == 0
    assert speech_samples(VoiceActivityGate(16_000, 3).feed(0, loud)) == 16_000


def test_a_constant_in_the_samples_is_not_loudness() -> None:
    noise = np.random.default_rng(1).normal(0, 20, 160_000)
    offset = (noise + 1500).astype(np.int16)
    assert speech_samples(VoiceActivityGate(16_000, 2).feed(0, offset)[50:]) == 0


def test_room_noise_is_silence() -> None:
    noise = np.random.default_rng(2).normal(0, 32_768 * 10 ** (-45 / 20), 160_000)
    windows = VoiceActivityGate(16_000, 2).feed(0, noise.astype(np.int16))
    assert speech_samples(windows) < 0.02 * 160_000


def test_audio_that_does_not_follow_is_refused_until_the_gate_is_reset() -> None:
    gate = VoiceActivityGate(16_000, 2)
    gate.feed(0, np.zeros(330, np.int16))
    with pytest.raises(BadAudio) as refusal:
        gate.feed(331, np.zeros(320, np.int16))
    assert refusal.value.facts == {"first_sample": 331, "expected": 330}
    gate.reset(5000)
    assert gate.feed(5000, np.zeros(320, np.int16)) == [VoiceWindow(5000, 5320, False)]


def test_a_reset_gate_answers_as_a_new_one(reading: NDArray[np.int16]) -> None:
    used = VoiceActivityGate(16_000, 2)
    used.feed(0, reading)
    used.reset(0)
    assert used.feed(0, reading) == VoiceActivityGate(16_000, 2).feed(0, reading)
