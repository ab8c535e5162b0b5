"""Quality of audio, on real speech."""

import warnings
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile

from orchestration.audio.quality import assess, loudness
from orchestration.audio.stages import Samples
from orchestration.services.ports import ENGINE_SAMPLE_RATE

DATA = Path(__file__).parents[2] / "data"
SECOND = ENGINE_SAMPLE_RATE


def clips(name: str) -> list[Samples]:
    """Speech in pieces of four seconds, as whisper gets it."""
    samples, _ = soundfile.read(DATA / name, dtype="float64")
    return [samples[at : at + 4 * SECOND] for at in range(0, 20 * SECOND, 4 * SECOND)]


def noise(level: float, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).normal(0, level, 4 * SECOND)


@pytest.mark.parametrize("name", ["reading.flac", "meeting.flac"])
def test_speech_is_better_than_noisy_speech_than_noise_than_silence(name: str) -> None:
    for clip in clips(name):
        level = float(np.sqrt(np.mean(clip**2)))
        clean = assess(clip).score
        noisy = assess(clip + noise(level * 0.5)).score
        hiss = assess(noise(level)).score
        silence = assess(np.zeros(4 * SECOND)).score
        assert clean > noisy > hiss > silence, (clean, noisy, hiss, silence)


@pytest.mark.parametrize("level", [0.001, 0.01, 0.1, 0.3])
def test_white_noise_has_no_signal_and_no_speech_however_loud(level: float) -> None:
    quality = assess(noise(level))
    assert quality.snr_db < 3
    assert quality.speech_ratio == 0
    assert quality.score < 0.25


def test_more_noise_is_a_lower_ratio() -> None:
    clip = clips("reading.flac")[0]
    level = float(np.sqrt(np.mean(clip**2)))
    ratios = [assess(clip + noise(level * 10 ** (-snr / 20))).snr_db for snr in (30, 20, 10, 0)]
    assert ratios == sorted(ratios, reverse=True)


def test_clipping_is_seen_and_costs() -> None:
    clip = clips("reading.flac")[0]
    loud = np.clip(clip * 0.9 / np.abs(clip).max(), -1, 1)
    broken = np.clip(loud * 8, -1, 1)
    assert assess(broken).clipped_ratio > 0.01 > assess(loud).clipped_ratio
    assert assess(broken).score < assess(loud).score


def test_levels_are_those_of_the_standards() -> None:
    moments = np.arange(4 * SECOND) / SECOND
    quality = assess(np.sin(2 * np.pi * 997 * moments))
    assert quality.rms_dbfs == pytest.approx(-3.0, abs=0.1)
    assert quality.peak_dbfs == pytest.approx(0, abs=0.1)
    assert quality.lufs == pytest.approx(-3.0, abs=0.3)
    assert quality.rolloff_hz == pytest.approx(997, abs=5)


@pytest.mark.parametrize("name", ["reading.flac", "meeting.flac"])
def test_loudness_is_what_pyloudnorm_measures(name: str) -> None:
    meter = pyloudnorm.Meter(SECOND)
    for clip in clips(name):
        for gain in (1, 0.01):
            expected = pytest.approx(meter.integrated_loudness(gain * clip), abs=0.06)
            assert loudness(gain * clip) == expected


def test_measuring_leaves_the_warnings_of_other_threads_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(warnings, "catch_warnings")
    assert loudness(clips("reading.flac")[0]) is not None
    assert loudness(noise(1e-6)) is None


def test_next_to_nothing_has_figures_too() -> None:
    for samples in (np.zeros(0), np.zeros(1), np.ones(5) * 0.1, np.zeros(100)):
        assert 0 <= assess(samples).score <= 1
    assert assess(np.zeros(SECOND)).lufs is None
