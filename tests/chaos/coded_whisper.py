"""A whisper service over HTTP that understands coded audio, and fails as it is told."""

import asyncio

from aiohttp import web

from orchestration.json_types import JsonValue
from tests.chaos.coded_audio import Samples
from tests.chaos.coded_hearing import CodedHearing
from tests.doubles.whisper_server import WhisperDouble


class CodedWhisper(WhisperDouble):
    """OpenAI's transcription API. `mode` is `FaultyServer`'s; it may change at any time.

    `latency_ms` is waited before each answer, of whatever mode. `count` is of all requests so
    far, `answered` of those that got the words.
    """

    def __init__(self, hearing: CodedHearing | None = None) -> None:
        super().__init__(self._hear)
        self.latency_ms = 0
        self.count = 0
        self.answered = 0
        self._hearing = hearing or CodedHearing()

    async def respond(self, request: web.Request, answer: object) -> web.StreamResponse:
        """The answer as the mode has it, after the latency."""
        self.count += 1
        # Hours of audio go through a run; nobody looks at it again.
        self.requests.clear()
        await asyncio.sleep(self.latency_ms / 1000)
        self.answered += self.mode in ("ok", "slow")
        return await super().respond(request, answer)

    def _hear(self, samples: Samples) -> JsonValue:
        return self._hearing.verbose_json(samples)
