"""The lengths by which streams are cut."""

import pytest

from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.errors import ConfigurationError


def test_a_policy_whose_chunks_cannot_advance_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ChunkingPolicy.from_ms(16_000, chunk_ms=2000, overlap_ms=2000)
    with pytest.raises(ConfigurationError):
        ChunkingPolicy.from_ms(16_000, chunk_ms=4000, max_chunk_ms=3000)
    with pytest.raises(ConfigurationError):
        ChunkingPolicy.from_ms(16_000, chunk_ms=2000, overlap_ms=1000, shortest_chunk_ms=1001)


def test_a_policy_counts_samples_of_its_stream() -> None:
    policy = ChunkingPolicy.from_ms(48_000)
    assert (policy.chunk, policy.overlap, policy.guard) == (192_000, 96_000, 38_400)
