"""Whisper services that speak OpenAI's `POST /v1/audio/transcriptions`."""

import io
import wave
from http import HTTPStatus

import aiohttp

from orchestration.errors import EngineError
from orchestration.services.http_engine import HttpEngine, names_in
from orchestration.services.http_upstream import HttpUpstream
from orchestration.services.ports import (
    ENGINE_SAMPLE_RATE,
    EngineDescription,
    Hypothesis,
    LabelScope,
    TranscriptionRequest,
)
from orchestration.services.verbose_json import MalformedTranscription, parse_verbose_json

_TRANSCRIPTIONS = "v1/audio/transcriptions"


class OpenAIWhisper(HttpEngine):
    """A TranscriptionEngine over HTTP; `base_url` is given with or without its `/v1`.

    Raises ConfigurationError when made with a URL that is not http or https.
    """

    kind = "openai"
    health_path = "health"

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        label_scope: LabelScope = "answer",
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        root = base_url.rstrip("/").removesuffix("/v1")
        super().__init__(HttpUpstream(root, bearer=api_key, timeout_s=timeout_s, session=session))
        self._label_scope = label_scope
        self._model = model

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Send one chunk as WAV; raises as the port says."""
        answer = await self._upstream.post(_TRANSCRIPTIONS, form=self._form(request))
        try:
            return parse_verbose_json(
                answer,
                duration_ms=request.duration_ms,
                language=request.language,
                engine=f"openai:{self._model}",
                label_scope=self._label_scope,
            )
        except MalformedTranscription as error:
            raise EngineError(
                f"{self._upstream.name} did not answer with a transcription: {error}.",
                {"url": f"{self._upstream.name}/{_TRANSCRIPTIONS}", "excerpt": str(answer)[:200]},
            ) from error

    async def _probe(self) -> tuple[int, int]:
        """GET /health, or /v1/models where there is none."""
        status, latency_ms = await super()._probe()
        # Hosted services have no /health; a server that is loading or broken answers 5xx.
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return await self._upstream.probe("v1/models")
        return status, latency_ms

    async def _description(self) -> EngineDescription:
        """GET /v1/models. What it runs on the API does not say."""
        answer = await self._upstream.get("v1/models")
        listed = answer.get("data") if isinstance(answer, dict) else None
        return EngineDescription(self.name, self.kind, names_in(listed, "id"))

    def _form(self, request: TranscriptionRequest) -> aiohttp.FormData:
        form = aiohttp.FormData()
        form.add_field(
            "file", to_wav(request.audio), filename="chunk.wav", content_type="audio/wav"
        )
        form.add_field("model", self._model)
        if request.language:
            form.add_field("language", request.language)
        if request.prompt:
            form.add_field("prompt", request.prompt)
        form.add_field("response_format", "verbose_json")
        form.add_field("timestamp_granularities[]", "word")
        form.add_field("timestamp_granularities[]", "segment")
        form.add_field("temperature", "0")
        return form


def to_wav(audio: bytes) -> bytes:
    """Mono s16le at `ENGINE_SAMPLE_RATE` in a WAV container."""
    container = io.BytesIO()
    with wave.open(container, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(ENGINE_SAMPLE_RATE)
        writer.writeframes(audio)
    return container.getvalue()
