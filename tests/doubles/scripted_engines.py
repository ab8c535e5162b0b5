"""Engines that answer as a test says, and keep what they were asked."""

import asyncio
from collections.abc import Callable, Sequence

from orchestration.services.ports import (
    EngineDescription,
    Hypothesis,
    TranscriptionRequest,
    TranslationRequest,
)


def hear_nothing(request: TranscriptionRequest) -> Hypothesis:
    return Hypothesis(request.language or "en", (), "scripted")


class ScriptedEngines:
    """`hear` answers every transcription; `error`, where it is set, is raised instead. Requests
    wait while `gate` is not set."""

    def __init__(self, hear: Callable[[TranscriptionRequest], Hypothesis] = hear_nothing) -> None:
        self.hear = hear
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.descriptions: tuple[Sequence[EngineDescription], Sequence[EngineDescription]]
        self.descriptions = ([], [])
        self.asked: list[TranscriptionRequest] = []

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        self.asked.append(request)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.hear(request)

    async def describe(
        self,
    ) -> tuple[Sequence[EngineDescription], Sequence[EngineDescription]]:
        return self.descriptions

    async def translate(self, request: TranslationRequest) -> str:
        if self.error is not None:
            raise self.error
        return f"{request.text} ({request.target})"
