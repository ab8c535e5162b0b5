"""The lengths by which a stream is cut for whisper, in samples of the stream."""

from dataclasses import dataclass

from orchestration.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ChunkingPolicy:
    """How a stream is cut; every field counts samples of the stream."""

    chunk: int
    """An unfinished utterance is cut once this much of it waits."""
    overlap: int
    """A chunk begins this far before the end of the one before it in its utterance."""
    guard: int
    """Words this near to the end of a chunk that is not final await the next one: the stitcher's
    share of the policy."""
    pause_search: int
    """A cut seeks a pause this far back from where it could be at the latest."""
    max_chunk: int
    """No chunk is longer; whisper hears 30 s at once."""
    end_of_speech: int
    """Silence that ends an utterance."""
    early_end: int
    """Silence, at least the margin, after which the end of an utterance is sent, should it be one;
    from `end_of_speech` on it waits until that is known."""
    speech_margin: int
    """Silence around an utterance that is sent with it."""
    onset_speech: int
    """Speech within `onset_span` that begins an utterance; less is a blip, and silence."""
    onset_span: int
    shortest_chunk: int
    """A final chunk has at least this, of silence if need be, unless less was heard."""
    joined_silence: int
    """Utterances that wait with at most this much silence between them go in one chunk."""

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.chunk <= self.max_chunk:
            raise ConfigurationError(
                "Chunks must be longer than their overlap and not longer than their maximum.",
                {"overlap": self.overlap, "chunk": self.chunk, "max_chunk": self.max_chunk},
            )
        if 2 * self.shortest_chunk > self.chunk:
            raise ConfigurationError(
                "The shortest chunk must not be above half a chunk.",
                {"shortest_chunk": self.shortest_chunk, "chunk": self.chunk},
            )

    @classmethod
    def from_ms(
        cls,
        sample_rate: int,
        *,
        chunk_ms: int = 4000,
        overlap_ms: int = 2000,
        guard_ms: int = 800,
        pause_search_ms: int = 600,
        max_chunk_ms: int = 28_000,
        end_of_speech_ms: int = 600,
        early_end_ms: int = 400,
        speech_margin_ms: int = 300,
        onset_speech_ms: int = 120,
        onset_span_ms: int = 200,
        shortest_chunk_ms: int = 500,
        joined_silence_ms: int = 1000,
    ) -> "ChunkingPolicy":
        """The policy at a stream's sample rate.

        The onset defaults rest on webrtcvad stretching what it hears by 60 to 80 ms: a click
        gives 80 ms of speech and a 20 ms burst 100 ms, while the shortest words give 160.
        """

        def samples(milliseconds: int) -> int:
            return milliseconds * sample_rate // 1000

        return cls(
            chunk=samples(chunk_ms),
            overlap=samples(overlap_ms),
            guard=samples(guard_ms),
            pause_search=samples(pause_search_ms),
            max_chunk=samples(max_chunk_ms),
            end_of_speech=samples(end_of_speech_ms),
            early_end=samples(early_end_ms),
            speech_margin=samples(speech_margin_ms),
            onset_speech=samples(onset_speech_ms),
            onset_span=samples(onset_span_ms),
            shortest_chunk=samples(shortest_chunk_ms),
            joined_silence=samples(joined_silence_ms),
        )
