"""Stages that audio may pass on its way to whisper: each a pure block with named parameters.

All are off unless a preset or a session turns them on: whisper is trained on audio as it comes, and
most of what makes speech pleasanter to people costs it words. Samples are float64 mono in
-1 to 1 at `ENGINE_SAMPLE_RATE`; a stage returns as many as it was given.

Imports scipy: only the Transcription deployment runs this, never a session's process.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import soxr
import webrtcvad
from numpy.typing import NDArray
from scipy import ndimage, signal

from orchestration.audio.pcm import FULL_SCALE
from orchestration.audio.presets import Stage
from orchestration.services.ports import ENGINE_SAMPLE_RATE

Samples = NDArray[np.float64]
Parameters = Mapping[str, float]

VAD_WINDOW_MS = 20
STFT_MS = 32
STFT_HOP_MS = 8
ENVELOPE_MS = 1
SILENCE = 1e-10


def process(samples: Samples, stages: Sequence[Stage]) -> Samples:
    """The samples after all stages, in order."""
    for stage in stages:
        samples = apply(samples, stage)
    return samples


def apply(samples: Samples, stage: Stage) -> Samples:
    """One stage with its gains; a stage of 0 samples, or one that is bypassed, changes nothing."""
    if not stage.enabled or not len(samples):
        return samples
    heard = samples * _ratio(stage.gain_in_db)
    out = _BLOCKS[stage.name](heard, dict(stage.parameters))
    return out * _ratio(stage.gain_out_db)


def to_samples(pcm: bytes) -> Samples:
    """s16le PCM as samples."""
    return np.frombuffer(pcm, dtype="<i2").astype(np.float64) / FULL_SCALE


def to_pcm(samples: Samples) -> bytes:
    """Samples as s16le PCM; what is beyond full scale is clipped."""
    whole = np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    return whole.astype("<i2").tobytes()


def voiced_windows(samples: Samples, aggressiveness: int) -> NDArray[np.bool_]:
    """webrtcvad's word on each whole window of 20 ms."""
    detector = webrtcvad.Vad(aggressiveness)
    size = ENGINE_SAMPLE_RATE * VAD_WINDOW_MS // 1000
    pcm = to_pcm(samples)
    return np.array(
        [
            detector.is_speech(pcm[2 * at : 2 * (at + size)], ENGINE_SAMPLE_RATE)
            for at in range(0, len(samples) - size + 1, size)
        ],
        dtype=np.bool_,
    )


def _vad(samples: Samples, parameters: Parameters) -> Samples:
    """Turns down what webrtcvad does not take for voice, with ramps of one window."""
    voiced = voiced_windows(samples, int(parameters["aggressiveness"]))
    if not len(voiced):
        return samples
    hold = 2 * int(parameters["hold_ms"] // VAD_WINDOW_MS) + 1
    held = ndimage.maximum_filter1d(voiced.astype(np.float64), hold)
    floor = _ratio(parameters["floor_db"])
    size = ENGINE_SAMPLE_RATE * VAD_WINDOW_MS // 1000
    centres = np.arange(len(held)) * size + size / 2
    return samples * np.interp(np.arange(len(samples)), centres, floor + (1 - floor) * held)


def _voice_filter(samples: Samples, parameters: Parameters) -> Samples:
    """A Butterworth band-pass around the voice."""
    sections = signal.butter(
        int(parameters["order"]),
        (parameters["low_hz"], parameters["high_hz"]),
        "bandpass",
        fs=ENGINE_SAMPLE_RATE,
        output="sos",
    )
    return np.asarray(signal.sosfilt(sections, samples), dtype=np.float64)


def _noise_reduction(samples: Samples, parameters: Parameters) -> Samples:
    """Spectral subtraction with over-subtraction and a floor (Berouti, Schwartz and Makhoul 1979).

    The noise of each frequency is a low percentile of its power over the chunk.
    """
    size = ENGINE_SAMPLE_RATE * STFT_MS // 1000
    hop = ENGINE_SAMPLE_RATE * STFT_HOP_MS // 1000
    if len(samples) < 4 * size:
        return samples
    transform = signal.ShortTimeFFT(signal.windows.hann(size, sym=False), hop, ENGINE_SAMPLE_RATE)
    spectrum = transform.stft(samples)
    power = np.abs(spectrum) ** 2
    smooth = ndimage.uniform_filter1d(power, 5, axis=1)
    noise = np.percentile(smooth, parameters["noise_percentile"], axis=1, keepdims=True)
    gain2 = 1 - parameters["over_subtraction"] * noise / np.maximum(smooth, SILENCE)
    floor = _ratio(-parameters["reduction_db"])
    gain = np.maximum(np.sqrt(np.maximum(gain2, 0)), floor)
    gain = ndimage.uniform_filter(gain, (3, 3))
    return np.asarray(transform.istft(spectrum * gain, k1=len(samples)), dtype=np.float64)


def _voice_enhancement(samples: Samples, parameters: Parameters) -> Samples:
    """A peaking equaliser at the consonants (R. Bristow-Johnson's audio EQ cookbook)."""
    amplitude = 10 ** (parameters["gain_db"] / 40)
    omega = 2 * np.pi * parameters["centre_hz"] / ENGINE_SAMPLE_RATE
    alpha = np.sin(omega) / (2 * parameters["q"])
    numerator = (1 + alpha * amplitude, -2 * np.cos(omega), 1 - alpha * amplitude)
    denominator = (1 + alpha / amplitude, -2 * np.cos(omega), 1 - alpha / amplitude)
    return np.asarray(signal.lfilter(numerator, denominator, samples), dtype=np.float64)


def _compression(samples: Samples, parameters: Parameters) -> Samples:
    """Feed-forward compression, smoothed in decibels (Giannoulis, Massberg and Reiss 2012)."""
    size = ENGINE_SAMPLE_RATE * ENVELOPE_MS // 1000
    steps = -(-len(samples) // size)
    padded = np.zeros(steps * size)
    padded[: len(samples)] = np.abs(samples)
    level_db = 20 * np.log10(np.maximum(padded.reshape(steps, size).max(axis=1), 1e-5))
    over_db = np.maximum(level_db - parameters["threshold_db"], 0)
    wanted_db = over_db * (1 - 1 / parameters["ratio"])
    attack = np.exp(-ENVELOPE_MS / parameters["attack_ms"])
    release = np.exp(-ENVELOPE_MS / parameters["release_ms"])
    reduction_db = np.empty(steps)
    held = 0.0
    for step, wanted in enumerate(wanted_db.tolist()):
        keep = attack if wanted > held else release
        held = keep * held + (1 - keep) * wanted
        reduction_db[step] = held
    centres = np.arange(steps) * size + size / 2
    gain_db = parameters["makeup_db"] - np.interp(np.arange(len(samples)), centres, reduction_db)
    return samples * 10 ** (gain_db / 20)


def _limiter(samples: Samples, parameters: Parameters) -> Samples:
    """A look-ahead limiter: no sample leaves it above the ceiling."""
    ceiling = _ratio(parameters["ceiling_db"])
    reach = max(1, int(parameters["lookahead_ms"] * ENGINE_SAMPLE_RATE / 1000))
    needed = np.minimum(1, ceiling / np.maximum(np.abs(samples), SILENCE))
    # The mean of minima over one window is at most each sample's own need.
    lowest = ndimage.minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
    return samples * ndimage.uniform_filter1d(lowest, 2 * reach + 1, mode="nearest")


def _resampling(samples: Samples, parameters: Parameters) -> Samples:
    """To another rate and back: what a narrower line would have let through."""
    rate = int(parameters["rate_hz"])
    if rate >= ENGINE_SAMPLE_RATE:
        return samples
    narrow = soxr.resample(samples, ENGINE_SAMPLE_RATE, rate)
    wide: Samples = soxr.resample(narrow, rate, ENGINE_SAMPLE_RATE)
    out = np.zeros(len(samples))
    out[: len(wide)] = wide[: len(samples)]
    return out


def _ratio(decibels: float) -> float:
    return float(10 ** (decibels / 20))


_BLOCKS: Mapping[str, Callable[[Samples, Parameters], Samples]] = {
    "vad": _vad,
    "voice_filter": _voice_filter,
    "noise_reduction": _noise_reduction,
    "voice_enhancement": _voice_enhancement,
    "compression": _compression,
    "limiter": _limiter,
    "resampling": _resampling,
}
