"""A whisper service that answers as it is told: OpenAI's transcription API over real HTTP."""

import io
import wave
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from aiohttp import BodyPartReader, web

from orchestration.json_types import JsonValue
from tests.doubles.faulty_server import FaultyServer

Samples = npt.NDArray[np.int16]
Answer = Callable[[Samples], JsonValue]


@dataclass(frozen=True, slots=True)
class WhisperCall:
    """One transcription that was asked for: the WAV's samples and the form's other fields."""

    samples: Samples
    sample_rate: int
    fields: dict[str, list[str]]
    headers: dict[str, str]


def two_words(samples: Samples) -> JsonValue:
    """`Hello world.` over the first and the last half of the audio, as speaches says it."""
    end_s = len(samples) / 16_000
    return {
        "task": "transcribe",
        "language": "en",
        "duration": end_s,
        "text": "Hello world.",
        "words": [
            {"word": " Hello", "start": 0.0, "end": end_s / 2, "probability": 0.9},
            {"word": " world.", "start": end_s / 2, "end": end_s, "probability": 0.8},
        ],
        "segments": [
            {
                "id": 0,
                "start": 0.0,
                "end": end_s,
                "text": " Hello world.",
                "no_speech_prob": 0.01,
                "avg_logprob": -0.2,
                "compression_ratio": 1.1,
            }
        ],
    }


class WhisperDouble(FaultyServer):
    """`answer` makes the JSON from the decoded samples; `requests` has what was asked so far.

    The modes of `FaultyServer` apply to transcriptions. `/health` answers `health_status`.
    """

    def __init__(self, answer: Answer = two_words) -> None:
        super().__init__()
        self.answer = answer
        self.requests: list[WhisperCall] = []
        self.health_status = 200
        self.models_status = 200
        self.app.router.add_post("/v1/audio/transcriptions", self._transcriptions)
        self.app.router.add_get("/health", self._health)
        self.app.router.add_get("/v1/models", self._models)

    async def _transcriptions(self, request: web.Request) -> web.StreamResponse:
        samples, sample_rate = np.zeros(0, np.int16), 0
        fields: dict[str, list[str]] = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            assert part.name is not None
            if part.name == "file":
                samples, sample_rate = _decode(bytes(await part.read()))
            else:
                fields.setdefault(part.name, []).append(await part.text())
        call = WhisperCall(samples, sample_rate, fields, dict(request.headers))
        self.requests.append(call)
        return await self.respond(request, self.answer(samples))

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=self.health_status, text="OK")

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": "whisper-1"}]}, status=self.models_status
        )


def _decode(content: bytes) -> tuple[Samples, int]:
    with wave.open(io.BytesIO(content)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth()) == (1, 2)
        frames = reader.readframes(reader.getnframes())
        return np.frombuffer(frames, dtype="<i2"), reader.getframerate()
