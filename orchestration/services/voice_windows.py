"""Where in a chunk to listen for a voice: windows of speech, and the time each speaks for. Pure."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from orchestration.services.torch_weights import Floats
from orchestration.services.voice_encoder import WINDOW_FRAMES
from orchestration.services.voice_features import STEP_SAMPLES, loud_enough, mel_spectrogram

FRAME_MS = 10

STEP_FRAMES = 40
"""Between the beginnings of two windows: 0.4 s."""

PAUSE_FRAMES = 30
"""No window spans a longer pause: another person may speak after it."""

MIN_SPEECH_FRAMES = 40
"""Shorter speech has no voice that could be told."""

MIN_DBFS = -55.0
BELOW_LOUDEST_DB = 30.0
"""Frames are speech if they are above the first, and no further below the loudest."""

LOUDEST_PERCENTILE = 95


@dataclass(frozen=True, slots=True)
class Windows:
    """Mel frames (windows, WINDOW_FRAMES, MELS), and the frames that each window speaks for."""

    mels: Floats
    spans: tuple[tuple[int, int], ...]


def windows_of(samples: Floats) -> Windows | None:
    """The windows of 16 kHz samples, -1 to 1; None where nothing is long enough.

    A window speaks for what is nearer to its middle than to its neighbours'. Speech that is shorter
    than a window is repeated until it fills one.
    """
    mel = mel_spectrogram(loud_enough(samples))
    found: list[Floats] = []
    spans: list[tuple[int, int]] = []
    for start, end in _stretches(samples):
        starts = [*range(start, max(start, end - WINDOW_FRAMES), STEP_FRAMES)]
        starts.append(max(start, end - WINDOW_FRAMES))
        if len(starts) > 1 and starts[-1] == starts[-2]:
            starts.pop()
        middles = [(one + other) // 2 + WINDOW_FRAMES // 2 for one, other in pairwise(starts)]
        edges = [start, *middles, end]
        for at, first in enumerate(starts):
            found.append(_filled(mel[first : min(end, first + WINDOW_FRAMES)]))
            spans.append((edges[at], edges[at + 1]))
    return Windows(np.stack(found), tuple(spans)) if found else None


def _filled(mel: Floats) -> Floats:
    copies = -(-WINDOW_FRAMES // len(mel))
    return np.tile(mel, (copies, 1))[:WINDOW_FRAMES]


def _stretches(samples: Floats) -> list[tuple[int, int]]:
    """Frames of speech from and up to, long enough, pauses of up to `PAUSE_FRAMES` inside."""
    count = len(samples) // STEP_SAMPLES
    if count == 0:
        return []
    frames = samples[: count * STEP_SAMPLES].reshape(count, STEP_SAMPLES)
    level = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12)
    loudest = float(np.percentile(level, LOUDEST_PERCENTILE))
    heard = np.flatnonzero(level > max(MIN_DBFS, loudest - BELOW_LOUDEST_DB))
    if len(heard) == 0:
        return []
    breaks = np.flatnonzero(np.diff(heard) > PAUSE_FRAMES)
    firsts = [int(heard[0]), *(int(heard[one + 1]) for one in breaks)]
    ends = [*(int(heard[one]) + 1 for one in breaks), int(heard[-1]) + 1]
    return [
        (start, end)
        for start, end in zip(firsts, ends, strict=True)
        if end - start >= MIN_SPEECH_FRAMES
    ]
