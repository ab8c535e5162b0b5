"""The audio that a stream still needs."""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from orchestration.errors import BadAudio, LimitReached, OrchestrationError


class RollingBuffer:
    """Mono audio at its stream's own rate, appended at the end and discarded from the start.

    Appended arrays are kept as they came, in a list sorted by their first sample, so that an
    append costs nothing but their copy. What capture skipped takes no memory, and reads
    as zeros.

    At most `capacity_samples` are held, gaps not counted. An append that would exceed it raises
    `LimitReached` and changes nothing: the session stops acking, and the sender keeps the audio.
    """

    def __init__(self, capacity_samples: int, *, start: int = 0) -> None:
        self._capacity = capacity_samples
        self._start = start
        self._end = start
        self._firsts: list[int] = []
        self._parts: list[NDArray[np.int16]] = []
        self._held = 0
        """Samples that take memory: all appended ones but those of appends wholly discarded."""

    @property
    def start(self) -> int:
        """The first sample that can be read."""
        return self._start

    @property
    def end(self) -> int:
        """One past the last sample appended."""
        return self._end

    def append(self, first_sample: int, samples: NDArray[np.int16]) -> None:
        """Take a copy of `samples`, shape [n]; a first sample beyond the end leaves a gap.

        Raises:
            BadAudio: `first_sample` lies before the end.
            LimitReached: the buffer would hold more than its capacity.
        """
        if first_sample < self._end:
            raise BadAudio(
                f"Audio went back to sample {first_sample}; the next one is {self._end}.",
                {"first_sample": first_sample, "expected": self._end},
            )
        if self._held + len(samples) > self._capacity:
            raise LimitReached(
                f"More than {self._capacity} samples wait to be transcribed; send them later.",
                {"capacity_samples": self._capacity, "held_samples": self._held},
            )
        if len(samples):
            # A copy, lest a short array keep a large message alive.
            self._parts.append(samples.copy())
            self._firsts.append(first_sample)
        self._held += len(samples)
        self._end = first_sample + len(samples)

    def read(self, start: int, end: int) -> NDArray[np.int16]:
        """A copy of `[start, end)`, shape [end - start], gaps as zeros.

        Raises:
            OrchestrationError: the range is not wholly within the buffer.
        """
        if not self._start <= start <= end <= self._end:
            raise OrchestrationError(
                f"Samples {start} to {end} are not in the buffer,"
                f" which holds {self._start} to {self._end}.",
                {"start": start, "end": end, "held_start": self._start, "held_end": self._end},
            )
        samples = np.zeros(end - start, np.int16)
        for at in range(max(0, bisect_right(self._firsts, start) - 1), len(self._parts)):
            first, part = self._firsts[at], self._parts[at]
            if first >= end:
                break
            low, high = max(start, first), min(end, first + len(part))
            if low < high:
                samples[low - start : high - start] = part[low - first : high - first]
        return samples

    def discard_before(self, sample: int) -> None:
        """Forget what lies before `sample`, at most everything; memory goes by whole appends."""
        sample = min(sample, self._end)
        if sample <= self._start:
            return
        self._start = sample
        # The part around `sample` keeps its memory and counts until it is wholly past.
        gone = bisect_right(self._firsts, sample)
        if gone and self._firsts[gone - 1] + len(self._parts[gone - 1]) > sample:
            gone -= 1
        self._held -= sum(len(part) for part in self._parts[:gone])
        del self._parts[:gone]
        del self._firsts[:gone]
