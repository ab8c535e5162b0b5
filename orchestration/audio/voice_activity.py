"""Which 20 ms of a stream hold speech."""

from dataclasses import dataclass

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from orchestration.audio.pcm import FULL_SCALE
from orchestration.errors import BadAudio

WINDOWS_PER_SECOND = 50
"""Decisions a second: webrtcvad takes 10, 20 or 30 ms, and 20 ms halves the calls of 10."""

VAD_SAMPLE_RATES = (8_000, 16_000, 32_000, 48_000)
"""What webrtcvad takes, samples a second."""

LOUD_DBFS = -35.0
"""RMS level of a window that is speech whatever webrtcvad says, because a miss loses words.

On read and synthesised speech with a median level of -26 dBFS, mode 2 missed no window above
this, and mode 3, which calls most audio silence, missed up to -25 dBFS inside words; room noise
in those recordings stayed below -38 dBFS in 95 of 100 windows. Lower would send rooms to whisper,
higher would let mode 3 cut words.
"""
_LOUD_MEAN_SQUARE: float = (FULL_SCALE * 10 ** (LOUD_DBFS / 20)) ** 2


@dataclass(frozen=True, slots=True)
class VoiceWindow:
    """Whether the samples in `[start, end)` of a stream hold speech."""

    start: int
    end: int
    is_speech: bool


class VoiceActivityGate:
    """Splits a stream into consecutive 20 ms windows and tells speech from silence.

    Window k covers `[k * rate // 50, (k + 1) * rate // 50)` relative to the gate's start, so that
    windows neither drift nor overlap at rates which 50 does not divide. Speech is what webrtcvad
    says is speech, and whatever is louder than `LOUD_DBFS`, a constant in the samples not counted.
    webrtcvad follows the noise floor and stretches speech by 60 to 100 ms: its answer depends on
    all audio since the start.
    """

    def __init__(self, sample_rate: int, mode: int, *, start: int = 0) -> None:
        """`sample_rate` is 8000 to 48000 Hz; `mode` is webrtcvad's aggressiveness, 0 to 3."""
        self._sample_rate = sample_rate
        self._mode = mode
        self._vad_rate = next(rate for rate in VAD_SAMPLE_RATES if rate >= sample_rate)
        # By window length, of which a rate that 50 does not divide has two.
        self._places: dict[int, NDArray[np.float64]] = {}
        self._vad = webrtcvad.Vad(mode)
        self._start = start
        self._windows = 0
        self._remainder: NDArray[np.int16] = np.zeros(0, np.int16)

    def reset(self, at_sample: int) -> None:
        """Go on at `at_sample`, as after a gap: a carried remainder and the past are forgotten."""
        self._vad = webrtcvad.Vad(self._mode)
        self._restart_windows(at_sample)

    def set_mode(self, mode: int) -> None:
        """Be as aggressive as this from the next window on; the noise floor stays."""
        if mode != self._mode:
            self._mode = mode
            self._vad.set_mode(mode)

    def feed(self, first_sample: int, samples: NDArray[np.int16]) -> list[VoiceWindow]:
        """The windows that `samples`, shape [n], complete; the remainder waits for more.

        Raises:
            BadAudio: `first_sample` does not follow the samples fed before.
        """
        expected = self._window_start(self._windows) + len(self._remainder)
        if first_sample != expected:
            raise BadAudio(
                f"Audio at sample {first_sample} does not follow the audio before it,"
                f" which ends at {expected}.",
                {"first_sample": first_sample, "expected": expected},
            )
        waiting = np.concatenate((self._remainder, samples)) if len(self._remainder) else samples
        windows = []
        start = base = self._window_start(self._windows)
        while (end := self._window_start(self._windows + 1)) - base <= len(waiting):
            window = waiting[start - base : end - base]
            windows.append(VoiceWindow(start, end, self._is_speech(window)))
            self._windows += 1
            start = end
        self._remainder = waiting[start - base :].copy()
        return windows

    def flush(self) -> list[VoiceWindow]:
        """The last window, shorter than the others, if any audio remains; windows start anew."""
        if not len(self._remainder):
            return []
        start = self._window_start(self._windows)
        end = start + len(self._remainder)
        whole = self._window_start(self._windows + 1) - start
        padded = np.zeros(whole, np.int16)
        padded[: len(self._remainder)] = self._remainder
        self._restart_windows(end)
        return [VoiceWindow(start, end, self._is_speech(padded))]

    def _restart_windows(self, at_sample: int) -> None:
        self._start = at_sample
        self._windows = 0
        self._remainder = np.zeros(0, np.int16)

    def _window_start(self, window: int) -> int:
        return self._start + window * self._sample_rate // WINDOWS_PER_SECOND

    def _is_speech(self, window: NDArray[np.int16]) -> bool:
        # webrtcvad first, and always: its noise floor has to see every window.
        return bool(
            self._vad.is_speech(self._for_vad(window).tobytes(), self._vad_rate)
        ) or _is_loud(window)

    def _for_vad(self, window: NDArray[np.int16]) -> NDArray[np.int16]:
        wanted = self._vad_rate // WINDOWS_PER_SECOND
        if len(window) == wanted:
            return window
        # Linear interpolation upwards adds faint images above the old band and no aliases;
        # webrtcvad listens below 4 kHz, and no filter state has to survive a reset.
        places = self._places.get(len(window))
        if places is None:
            places = np.linspace(0, len(window) - 1, wanted)
            self._places[len(window)] = places
        return np.interp(places, np.arange(len(window)), window).astype(np.int16)


def _is_loud(window: NDArray[np.int16]) -> bool:
    values = window.astype(np.float32)
    # A cheap sound card adds a constant, which nobody hears: it is not loudness.
    values -= values.mean()
    return float(np.dot(values, values)) > _LOUD_MEAN_SQUARE * len(window)
