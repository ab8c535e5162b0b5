"""The gate and the chunker together, on real and synthesised speech."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from orchestration.audio.chunker import Chunk, Chunker
from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.sample_ranges import SampleRanges
from orchestration.audio.voice_activity import VoiceActivityGate

DATA = Path(__file__).parents[2] / "data"


def cut(name: str, gain: float) -> tuple[list[Chunk], SampleRanges, int]:
    """Chunks, silence and length of a recording that comes in real time, 100 ms at once."""
    audio, rate = soundfile.read(DATA / f"{name}.flac", dtype="int16")
    audio = (audio * gain).astype(np.int16)
    gate, chunker = VoiceActivityGate(rate, 2), Chunker(ChunkingPolicy.from_ms(rate))
    chunks = []
    for at in range(0, len(audio), rate // 10):
        chunker.hear(gate.feed(at, audio[at : at + rate // 10]))
        while chunk := chunker.next_chunk():
            chunks.append(chunk)
    chunker.hear(gate.flush())
    chunker.end(len(audio))
    while chunk := chunker.next_chunk():
        chunks.append(chunk)
    return chunks, SampleRanges(chunker.take_silences()), len(audio)


def spoken(name: str) -> list[tuple[int, int]]:
    """Where the recording has speech by its own script: words if it tells them, else turns."""
    script = json.loads((DATA / f"{name}.json").read_text())
    return [
        (one["start_sample"], one["end_sample"]) for one in script.get("words", script.get("turns"))
    ]


@pytest.mark.parametrize("name", ["reading", "meeting"])
@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_every_word_is_sent_also_when_it_is_quiet(name: str, gain: float) -> None:
    chunks, silence, length = cut(name, gain)
    sent = SampleRanges((chunk.start, chunk.end) for chunk in chunks)
    assert [span for span in spoken(name) if silence.within(*span)] == []
    assert sent.missing(0, length) == list(silence)


def test_silence_of_a_participant_who_listens_is_not_sent() -> None:
    chunks, silence, length = cut("meeting_ana", 1.0)
    assert silence.total > 0.7 * length
    assert sum(chunk.end - chunk.start for chunk in chunks) < 0.4 * length
