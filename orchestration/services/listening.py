"""What happens to a chunk between its session and whisper: its quality, and its stages."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from time import thread_time_ns

from orchestration.audio.quality import assess
from orchestration.audio.stages import StageCost, process, to_pcm, to_samples
from orchestration.services.ports import (
    AudioQuality,
    Hypothesis,
    Transcriber,
    TranscriptionRequest,
)


@dataclass(frozen=True, slots=True)
class ListeningFigures:
    """Since this process started: chunks, their mean score, and each stage's CPU per audio."""

    chunks: int
    mean_score: float
    stage_cpu_ms_per_audio_s: dict[str, float]


class Listening:
    """A whisper engine that hears audio after the stages of its request.

    The quality is that of the audio as it came. The work is done in a thread: it takes about 1 ms
    for each second of audio, and some 15 with noise reduction.
    """

    def __init__(self, engine: Transcriber) -> None:
        self._engine = engine
        self._chunks = 0
        self._scores = 0.0
        self._cpu_ns: dict[str, int] = defaultdict(int)
        self._audio_ns: dict[str, int] = defaultdict(int)

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """The engine's answer with the audio's quality; raises as the engine does."""
        audio, quality, costs = await asyncio.to_thread(_prepared, request)
        self._chunks += 1
        self._scores += quality.score
        for cost in costs:
            self._cpu_ns[cost.stage] += cost.cpu_ns
            self._audio_ns[cost.stage] += cost.audio_ns
        hypothesis = await self._engine.transcribe(replace(request, audio=audio, stages=()))
        return replace(hypothesis, quality=quality)

    def figures(self) -> ListeningFigures:
        """What it did."""
        return ListeningFigures(
            self._chunks,
            round(self._scores / self._chunks, 3) if self._chunks else 0.0,
            {
                stage: round(1000 * cpu_ns / max(1, self._audio_ns[stage]), 3)
                for stage, cpu_ns in self._cpu_ns.items()
            },
        )


def _prepared(
    request: TranscriptionRequest,
) -> tuple[bytes, AudioQuality, tuple[StageCost, ...]]:
    samples = to_samples(request.audio)
    quality = assess(samples)
    if not request.stages:
        return request.audio, quality, ()
    processed, costs = process(samples, request.stages, thread_time_ns)
    return to_pcm(processed), quality, costs
