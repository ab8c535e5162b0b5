"""One stream's audio while it is needed: held, told from silence, and cut for whisper."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestration.audio.chunker import Chunk, Chunker
from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.rolling_buffer import RollingBuffer
from orchestration.audio.sample_ranges import SampleRanges
from orchestration.audio.voice_activity import VoiceActivityGate, VoiceWindow
from orchestration.session.values import ChunkingValues, SessionValues

STALL_SILENCE_MS = 200
"""Audio that stops after this much silence has stopped for good, or until the next speech."""

LONGEST_APPEND_MS = 10_000
"""What the buffer has room for beyond what is kept; longer frames are taken in parts."""

SILENCE_DBFS = -96.0
"""The level of silence: a step of 16 bits, rounded down."""


class StreamAudio:
    """Feed samples; pull chunks; say what is not needed any more. Counts samples of the stream.

    At most `buffer_ms` are held, gaps included: older audio is let go, and read back from the
    journal by whoever still wants it.
    """

    def __init__(self, sample_rate: int, values: SessionValues, heard_from: int) -> None:
        """`heard_from` is the first sample that will come."""
        self._rate = sample_rate
        self._kept = self.samples(values.buffer_ms)
        room = self._kept + self.samples(LONGEST_APPEND_MS)
        self._buffer = RollingBuffer(room, start=heard_from)
        self._gate = VoiceActivityGate(sample_rate, values.chunking.voice_mode, start=heard_from)
        self._chunker = Chunker(_chunking_policy(sample_rate, values.chunking), position=heard_from)
        self._speech = SampleRanges()

    @property
    def end(self) -> int:
        """One past the last sample that has come."""
        return self._buffer.end

    @property
    def has_pending(self) -> bool:
        """Whether audio is neither cut nor silent, or an utterance awaits its end."""
        return self._chunker.has_pending

    @property
    def needed_from(self) -> int:
        """No chunk to come begins before this sample."""
        return self._chunker.needed_from

    def samples(self, duration_ms: int) -> int:
        """So long, in samples of the stream."""
        return duration_ms * self._rate // 1000

    def apply(self, chunking: ChunkingValues) -> None:
        """Listen and cut by these values from now on."""
        self._gate.set_mode(chunking.voice_mode)
        self._chunker.apply(_chunking_policy(self._rate, chunking))

    def append(self, first: int, samples: NDArray[np.int16]) -> tuple[int, int] | None:
        """Take samples, shape [n], of which the first is sample `first`; what came before is left
        out. Returns the range that capture skipped before them, if it did."""
        if first < self.end:
            samples = samples[self.end - first :]
            first = self.end
        gap = None
        if first > self.end:
            gap = (self.end, first)
            self._listen(self._gate.flush())
            self._chunker.gap(*gap)
            self._gate.reset(first)
        longest = self.samples(LONGEST_APPEND_MS)
        for at in range(0, len(samples), longest):
            self._append(first + at, samples[at : at + longest])
        return gap

    def finish(self) -> None:
        """No more audio will come."""
        self._listen(self._gate.flush())
        self._chunker.end(self.end)

    def stall(self, *, even_in_speech: bool) -> bool:
        """No audio has come for a while: let the utterance end. False: not in mid-speech, unless
        `even_in_speech`."""
        quiet_from = max(0, self.end - self.samples(STALL_SILENCE_MS))
        if not even_in_speech and any(self._speech.within(quiet_from, self.end)):
            return False
        self._listen(self._gate.flush())
        self._chunker.stall()
        return True

    def next_chunk(self) -> Chunk | None:
        """The next chunk, None while nothing is due."""
        return self._chunker.next_chunk()

    def take_utterance_over(self) -> bool:
        """Whether an utterance has turned out to be over after its last chunk; once for each."""
        return self._chunker.take_utterance_over()

    def take_silences(self) -> list[tuple[int, int]]:
        """Samples newly decided never to be sent, as sorted half-open ranges."""
        return self._chunker.take_silences()

    def speech_in(self, start: int, end: int) -> int:
        """How many samples of `[start, end)` are speech, of what is not discarded."""
        return sum(to - since for since, to in self._speech.within(start, end))

    def read(self, start: int, end: int) -> NDArray[np.int16] | None:
        """Samples `[start, end)`, mono; None when memory no longer has them."""
        return None if start < self._buffer.start else self._buffer.read(start, end)

    def discard_before(self, sample: int) -> None:
        """Let go of audio that no chunk will need."""
        self._buffer.discard_before(sample)
        self._speech.remove(0, sample)

    def level_dbfs(self) -> float:
        """Loudness of the last second, as RMS in dB of full scale; -96 for silence."""
        start = max(self._buffer.start, self.end - self._rate)
        if self.end <= start:
            return SILENCE_DBFS
        samples = self._buffer.read(start, self.end).astype(np.float32) / 32768
        power = float(np.mean(samples * samples))
        return max(SILENCE_DBFS, round(10 * float(np.log10(max(power, 1e-12))), 1))

    def _append(self, first: int, samples: NDArray[np.int16]) -> None:
        self._make_room(first + len(samples))
        self._buffer.append(first, samples)
        self._listen(self._gate.feed(first, samples))

    def _listen(self, windows: Sequence[VoiceWindow]) -> None:
        self._chunker.hear(windows)
        for window in windows:
            if window.is_speech:
                self._speech.add(window.start, window.end)

    def _make_room(self, new_end: int) -> None:
        if new_end - self._buffer.start > self._kept:
            self._buffer.discard_before(new_end - self._kept)


def _chunking_policy(sample_rate: int, chunking: ChunkingValues) -> ChunkingPolicy:
    return ChunkingPolicy.from_ms(
        sample_rate,
        chunk_ms=chunking.chunk_ms,
        overlap_ms=chunking.overlap_ms,
        guard_ms=chunking.guard_ms,
        pause_search_ms=chunking.pause_search_ms,
        max_chunk_ms=chunking.max_chunk_ms,
        end_of_speech_ms=chunking.end_of_speech_ms,
        early_end_ms=chunking.early_end_ms,
        speech_margin_ms=chunking.speech_margin_ms,
    )
