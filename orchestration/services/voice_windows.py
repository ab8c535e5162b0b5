"""Where in a chunk to listen for a voice: windows of speech, and the time each speaks for. Pure."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from orchestration.services.torch_weights import Floats
from orchestration.services.voice_encoder import WINDOW_FRAMES
from orchestration.services.voice_features import STEP_SAMPLES, loud_enough, mel_spectrogram

FRAME_MS = 10

PAUSE_FRAMES = 30
"""No window spans a longer pause: another person may speak after it."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a listener listens: windows of `length` frames, `step` frames apart, in speech that is
    not shorter than `least` frames."""

    length: int
    step: int
    least: int


WHO_IS_THERE = Hearing(WINDOW_FRAMES, 40, 40)
"""By long windows voices are found: shorter speech has none that could be told."""

WHO_SPEAKS_WHEN = Hearing(100, 20, 20)
"""By shorter ones it is told which of those that are known speaks when."""

MIN_DBFS = -55.0
BELOW_LOUDEST_DB = 30.0
"""Frames are speech if they are above the first, and no further below the loudest."""

LOUDEST_PERCENTILE = 95


@dataclass(frozen=True, slots=True)
class Windows:
    """Mel frames (windows, length, MELS), and the frames that each window speaks for."""

    mels: Floats
    spans: tuple[tuple[int, int], ...]


class Speech:
    """What is spoken in a chunk."""

    def __init__(self, samples: Floats) -> None:
        """Take 16 kHz samples, -1 to 1."""
        self._mel = mel_spectrogram(loud_enough(samples))
        self._stretches = _stretches(_spoken(samples))

    def windows(self, hearing: Hearing) -> Windows | None:
        """The windows by which somebody listens; None where nothing is long enough.

        A window speaks for what is nearer to its middle than to its neighbours'. Speech that is
        shorter than a window is repeated until it fills one.
        """
        length = hearing.length
        found: list[Floats] = []
        spans: list[tuple[int, int]] = []
        for start, end in self._stretches:
            if end - start < hearing.least:
                continue
            starts = [*range(start, max(start, end - length), hearing.step)]
            starts.append(max(start, end - length))
            if len(starts) > 1 and starts[-1] == starts[-2]:
                starts.pop()
            middles = [(one + other) // 2 + length // 2 for one, other in pairwise(starts)]
            edges = [start, *middles, end]
            for at, first in enumerate(starts):
                found.append(_filled(self._mel[first : min(end, first + length)], length))
                spans.append((edges[at], edges[at + 1]))
        return Windows(np.stack(found), tuple(spans)) if found else None


def _filled(mel: Floats, length: int) -> Floats:
    copies = -(-length // len(mel))
    return np.tile(mel, (copies, 1))[:length]


def _spoken(samples: Floats) -> NDArray[np.intp]:
    """The frames in which somebody speaks."""
    count = len(samples) // STEP_SAMPLES
    if count == 0:
        return np.empty(0, np.intp)
    frames = samples[: count * STEP_SAMPLES].reshape(count, STEP_SAMPLES)
    level = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12)
    loudest = float(np.percentile(level, LOUDEST_PERCENTILE))
    return np.flatnonzero(level > max(MIN_DBFS, loudest - BELOW_LOUDEST_DB))


def _stretches(heard: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Frames of speech from and up to, with pauses of up to `PAUSE_FRAMES` inside."""
    if len(heard) == 0:
        return []
    breaks = np.flatnonzero(np.diff(heard) > PAUSE_FRAMES)
    firsts = [int(heard[0]), *(int(heard[one + 1]) for one in breaks)]
    ends = [*(int(heard[one]) + 1 for one in breaks), int(heard[-1]) + 1]
    return list(zip(firsts, ends, strict=True))
