"""A stream played into a chunker. One sample is one millisecond here: policies are made for 1000
samples a second."""

from dataclasses import dataclass, field

from orchestration.audio.chunker import Chunk, Chunker
from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.sample_ranges import SampleRanges
from orchestration.audio.voice_activity import VoiceWindow

POLICY = ChunkingPolicy.from_ms(1000)
WINDOW = 20


@dataclass
class Stream:
    """A stream played into a chunker, and what came of it."""

    policy: ChunkingPolicy = POLICY
    at: int = 0
    chunks: list[Chunk] = field(default_factory=list)
    silences: SampleRanges = field(default_factory=SampleRanges)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    speech: SampleRanges = field(default_factory=SampleRanges)
    breaks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = self.at
        self.chunker = Chunker(self.policy, self.at)

    def play(self, is_speech: bool, duration: int, *, pull: bool = True) -> "Stream":
        """Hear `duration` of speech or silence: pulling after every window, or all at once."""
        bounds = range(self.at, self.at + duration, WINDOW)
        windows = [VoiceWindow(start, start + WINDOW, is_speech) for start in bounds]
        for batch in [[window] for window in windows] if pull else [windows]:
            self.chunker.hear(batch)
            if pull:
                self.pull()
        if is_speech:
            self.speech.add(self.at, self.at + duration)
        self.at += duration
        return self

    def stall(self) -> None:
        self.chunker.stall()
        self.breaks.append(self.at)

    def skip(self, duration: int) -> None:
        self.breaks.append(self.at)
        self.chunker.gap(self.at, self.at + duration)
        self.gaps.append((self.at, self.at + duration))
        self.at += duration

    def end(self) -> "Stream":
        self.chunker.end(self.at)
        self.pull()
        return self

    def pull(self, times: int = 100_000) -> None:
        for _ in range(times):
            chunk = self.chunker.next_chunk()
            if chunk is None:
                break
            self.chunks.append(chunk)
        for start, end in self.chunker.take_silences():
            assert self.silences.within(start, end) == [], "silence is declared once"
            self.silences.add(start, end)

    @property
    def spans(self) -> list[tuple[int, int, bool]]:
        return [(chunk.start, chunk.end, chunk.is_final) for chunk in self.chunks]
