"""CPU cost of the audio path before whisper, per second of audio and stream.

    python tests/benchmarks/bench_audio.py

Frames of 100 ms of real speech go through decoding, the voice activity gate, the rolling buffer
and the chunker, each chunk being read and resampled at once, as in a session.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from orchestration.audio.chunker import Chunker
from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.pcm import PcmFormat, decode_mono, resample_for_engine
from orchestration.audio.rolling_buffer import RollingBuffer
from orchestration.audio.voice_activity import VoiceActivityGate

MEETING = Path(__file__).parents[1] / "data" / "meeting.flac"
FORMATS = [
    PcmFormat("s16le", 16_000, 1),
    PcmFormat("f32le", 16_000, 1),
    PcmFormat("s16le", 44_100, 1),
    PcmFormat("s16le", 48_000, 1),
    PcmFormat("f32le", 48_000, 2),
]
STAGES = ("decode", "gate", "buffer", "chunker", "resample")


class CpuClock:
    """CPU nanoseconds of this process by stage."""

    def __init__(self) -> None:
        self.spent_ns: dict[str, int] = defaultdict(int)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.process_time_ns()
        yield
        self.spent_ns[stage] += time.process_time_ns() - began


def frames(meeting: NDArray[np.int16], fmt: PcmFormat) -> list[bytes]:
    """The meeting as a bot would send it, 100 ms at a time."""
    mono = soxr.resample(meeting, 16_000, fmt.sample_rate)
    samples = np.repeat(mono[:, None], fmt.channels, axis=1)
    payload = samples if fmt.encoding == "s16le" else (samples / 32_768).astype("<f4")
    size = fmt.sample_rate // 10
    return [payload[at : at + size].tobytes() for at in range(0, len(payload), size)]


def run(payloads: list[bytes], fmt: PcmFormat, cpu: CpuClock) -> int:
    """Take every frame through the path; returns how many chunks came of it."""
    gate = VoiceActivityGate(fmt.sample_rate, 2)
    buffer = RollingBuffer(60 * fmt.sample_rate)
    chunker = Chunker(ChunkingPolicy.from_ms(fmt.sample_rate))
    chunks = 0
    for payload in payloads:
        with cpu("decode"):
            samples = decode_mono(payload, fmt).samples
        with cpu("gate"):
            windows = gate.feed(buffer.end, samples)
        with cpu("buffer"):
            buffer.append(buffer.end, samples)
        with cpu("chunker"):
            chunker.hear(windows)
            chunk = chunker.next_chunk()
            chunker.take_silences()
        if chunk:
            chunks += 1
            with cpu("buffer"):
                audio = buffer.read(chunk.start, chunk.end)
            with cpu("resample"):
                resample_for_engine(audio, fmt.sample_rate)
        with cpu("buffer"):
            buffer.discard_before(chunker.needed_from)
    return chunks


def main() -> None:
    meeting, _ = soundfile.read(MEETING, dtype="int16")
    audio_s = len(meeting) / 16_000
    print("microseconds of CPU per second of audio")
    print(f"{'format':>16}", *(f"{stage:>9}" for stage in (*STAGES, "sum", "chunks")))
    for fmt in FORMATS:
        cpu = CpuClock()
        chunks = run(frames(meeting, fmt), fmt, cpu)
        figures = [cpu.spent_ns[stage] / 1000 / audio_s for stage in STAGES]
        name = f"{fmt.encoding} {fmt.sample_rate} x{fmt.channels}"
        print(f"{name:>16}", *(f"{one:9.0f}" for one in (*figures, sum(figures), chunks)))


if __name__ == "__main__":
    main()
