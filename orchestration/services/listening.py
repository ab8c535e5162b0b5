"""What happens to a chunk between its session and whisper: its quality, and its stages."""

import asyncio
from dataclasses import replace

from orchestration.audio.quality import assess
from orchestration.audio.stages import process, to_pcm, to_samples
from orchestration.services.ports import (
    AudioQuality,
    Hypothesis,
    Transcriber,
    TranscriptionRequest,
)


class Listening:
    """A whisper engine that hears audio after the stages of its request.

    The quality is that of the audio as it came. The work is done in a thread: it takes about 1 ms
    for each second of audio, and some 15 with noise reduction.
    """

    def __init__(self, engine: Transcriber) -> None:
        self._engine = engine

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """The engine's answer with the audio's quality; raises as the engine does."""
        audio, quality = await asyncio.to_thread(_prepared, request)
        hypothesis = await self._engine.transcribe(replace(request, audio=audio, stages=()))
        return replace(hypothesis, quality=quality)


def _prepared(request: TranscriptionRequest) -> tuple[bytes, AudioQuality]:
    samples = to_samples(request.audio)
    quality = assess(samples)
    if not request.stages:
        return request.audio, quality
    return to_pcm(process(samples, request.stages)), quality
