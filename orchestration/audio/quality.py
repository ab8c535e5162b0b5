"""How good audio is for hearing words in it: levels, noise, speech, and one score.

Imports scipy and pyloudnorm: only the Transcription deployment runs this.
"""

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from orchestration.audio.stages import Samples, voiced_windows
from orchestration.services.ports import ENGINE_SAMPLE_RATE, AudioQuality

FRAME_MS = 20
"""Long enough for a period of any voice, short enough for the pauses within words."""
SILENT_DBFS = -96.0
FLOOR_POWER = 10 ** (-90 / 10)
"""Noise is never taken to be below this: digital silence between words is no better."""
CLIPPED = 32_760 / 32_768
"""Of full scale: from here on a sample counts as clipped, as not all converters reach the last
step."""
ROLLOFF = 0.95
"""The share of the power that lies below the roll-off frequency."""
SPEECH_OVER_NOISE = 10 ** (6 / 10)
"""A frame of speech has this many times the noise's power: loud even noise has none such."""
LOUDNESS_STEP_MS = 100
LOUDNESS_BLOCK_STEPS = 4
"""BS.1770's gating block is 400 ms long, and one begins each 100 ms; shorter audio has none."""
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE = 0.1
"""Of the mean power: blocks 10 LU below it are left out."""
LOUDNESS_OFFSET_DB = -0.691
K_WEIGHTING = (
    pyloudnorm.IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, ENGINE_SAMPLE_RATE, "high_shelf"),
    pyloudnorm.IIRfilter(0.0, 0.5, 38.0, ENGINE_SAMPLE_RATE, "high_pass"),
)
"""The two stages of BS.1770's weighting; they keep nothing from one call to the next."""

GOOD_SNR_DB = 30.0
GOOD_SPEECH_RATIO = 0.4
QUIET_DBFS, LOUD_DBFS = -60.0, -30.0
CLIPPING_WEIGHT = 20.0


def assess(samples: Samples) -> AudioQuality:
    """Figures of some audio, mono in -1 to 1.

    The noise floor is the 10th percentile of the power of 20 ms frames, and the signal the 90th:
    even noise, however loud, has both at nearly the same place, so that its ratio is low, while
    speech pauses between its syllables.
    """
    if not len(samples):
        return AudioQuality(SILENT_DBFS, SILENT_DBFS, 0.0, 0.0, 0.0, 0, None, 0.0)
    power = float(np.mean(samples**2))
    peak = float(np.abs(samples).max())
    clipped = float(np.mean(np.abs(samples) >= CLIPPED))
    frames = frame_powers(samples)
    noise = max(float(np.percentile(frames, 10)), FLOOR_POWER)
    loud = float(np.percentile(frames, 90))
    snr_db = max(0.0, 10 * float(np.log10(max(loud - noise, noise * 1e-3) / noise)))
    speech = speech_ratio(samples, frames, noise)
    rms_dbfs = _dbfs(power)
    return AudioQuality(
        rms_dbfs=round(rms_dbfs, 1),
        peak_dbfs=round(_dbfs(peak * peak), 1),
        clipped_ratio=round(clipped, 5),
        snr_db=round(snr_db, 1),
        speech_ratio=round(speech, 3),
        rolloff_hz=rolloff_hz(samples),
        lufs=loudness(samples),
        score=round(score(rms_dbfs, clipped, snr_db, speech), 3),
    )


def score(rms_dbfs: float, clipped_ratio: float, snr_db: float, speech: float) -> float:
    """0 to 1: half for a low noise floor, the rest for speech and level; clipping takes away."""
    clean = min(1.0, snr_db / GOOD_SNR_DB)
    spoken = min(1.0, speech / GOOD_SPEECH_RATIO)
    level = min(1.0, max(0.0, (rms_dbfs - QUIET_DBFS) / (LOUD_DBFS - QUIET_DBFS)))
    unclipped = max(0.0, 1 - CLIPPING_WEIGHT * clipped_ratio)
    return unclipped * (0.5 * clean * spoken + 0.3 * spoken + 0.2 * level)


def frame_powers(samples: Samples) -> NDArray[np.float64]:
    """Mean power of each frame of 20 ms; of all at once when there is no whole one."""
    size = ENGINE_SAMPLE_RATE * FRAME_MS // 1000
    count = len(samples) // size
    if not count:
        return np.array([float(np.mean(samples**2))])
    whole = samples[: count * size].reshape(count, size)
    return np.asarray((whole**2).mean(axis=1), dtype=np.float64)


def speech_ratio(samples: Samples, frames: NDArray[np.float64], noise: float) -> float:
    """Frames that webrtcvad takes for voice and that stand out from the noise."""
    voiced = voiced_windows(samples, 3)
    if not len(voiced):
        return 0.0
    return float(np.mean(voiced & (frames[: len(voiced)] > SPEECH_OVER_NOISE * noise)))


def rolloff_hz(samples: Samples) -> int:
    """The frequency below which 95 % of the power lies."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    total = np.cumsum(spectrum)
    if total[-1] <= 0:
        return 0
    bin_number = int(np.searchsorted(total, ROLLOFF * total[-1]))
    return round(bin_number * ENGINE_SAMPLE_RATE / len(samples))


def loudness(samples: Samples) -> float | None:
    """Integrated loudness by ITU-R BS.1770-4, None for silence and for less than 400 ms.

    Its filters are pyloudnorm's. Its gating is our own: pyloudnorm's sets the warnings of the whole
    process aside for a while, which other threads would notice.
    """
    step = ENGINE_SAMPLE_RATE * LOUDNESS_STEP_MS // 1000
    steps = len(samples) // step
    if steps < LOUDNESS_BLOCK_STEPS:
        return None
    weighted = samples
    for stage in K_WEIGHTING:
        weighted = stage.apply_filter(weighted)
    by_step = (weighted[: steps * step].reshape(steps, step) ** 2).mean(axis=1)
    powers = np.convolve(by_step, np.full(LOUDNESS_BLOCK_STEPS, 1 / LOUDNESS_BLOCK_STEPS), "valid")
    heard = powers[powers >= 10 ** ((ABSOLUTE_GATE_LUFS - LOUDNESS_OFFSET_DB) / 10)]
    if not len(heard):
        return None
    heard = heard[heard > RELATIVE_GATE * heard.mean()]
    return round(LOUDNESS_OFFSET_DB + 10 * float(np.log10(heard.mean())), 1)


def _dbfs(power: float) -> float:
    return max(SILENT_DBFS, 10 * float(np.log10(max(power, 1e-12))))
