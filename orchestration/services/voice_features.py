"""What a voice encoder hears: the mel spectrogram of 16 kHz audio. Pure, numpy alone.

As librosa computes it: power spectra of Hann windows, centred, through triangles on Slaney's mel
scale (M. Slaney, Auditory Toolbox, 1998) that have equal areas.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAMPLE_RATE = 16_000
WINDOW_SAMPLES = 400
STEP_SAMPLES = 160
MELS = 40

QUIET_DBFS = -30.0
"""Quieter audio is raised to this level; louder audio stays as it is."""

_LINEAR_HZ = 200.0 / 3
_LOG_FROM_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27


def mel_spectrogram(samples: Floats) -> Floats:
    """Shape (frames, MELS), a frame every 10 ms; `samples` are -1 to 1."""
    padded = np.pad(samples, WINDOW_SAMPLES // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::STEP_SAMPLES]
    spectra = np.fft.rfft(windows * _hann(), axis=1)
    power = np.square(spectra.real) + np.square(spectra.imag)
    mels: Floats = (power @ _filters()).astype(np.float32)
    return mels


def loud_enough(samples: Floats) -> Floats:
    """The samples, raised to `QUIET_DBFS` if they are quieter; silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
    wanted = 10 ** (QUIET_DBFS / 20)
    if not 0 < rms < wanted:
        return samples
    raised: Floats = samples * np.float32(wanted / rms)
    return raised


@cache
def _hann() -> Floats:
    """A window whose period is its length, as spectra want it."""
    at = np.arange(WINDOW_SAMPLES)
    hann: Floats = (0.5 - 0.5 * np.cos(2 * np.pi * at / WINDOW_SAMPLES)).astype(np.float32)
    return hann


@cache
def _filters() -> Floats:
    """Shape (spectrum, MELS)."""
    bins = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / SAMPLE_RATE)
    edges = _hz(np.linspace(0.0, _mel(SAMPLE_RATE / 2), MELS + 2))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling)) * 2 / (right - left)
    filters: Floats = triangles.astype(np.float32)
    return filters


def _mel(hz: float) -> float:
    """Above 1 kHz: the scale is linear below."""
    return float(_LOG_FROM_HZ / _LINEAR_HZ + np.log(hz / _LOG_FROM_HZ) / _LOG_STEP)


def _hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mels * _LINEAR_HZ
    logarithmic = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - _LOG_FROM_HZ / _LINEAR_HZ))
    return np.where(linear < _LOG_FROM_HZ, linear, logarithmic)
