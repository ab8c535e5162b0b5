"""Whisper services that speak livetranslate's HTTP API: `POST /transcribe`."""

import aiohttp

from orchestration.errors import EngineError
from orchestration.json_types import JsonObject, JsonValue
from orchestration.services.livetranslate import LivetranslateEngine
from orchestration.services.ports import Hypothesis, TranscriptionRequest
from orchestration.services.verbose_json import MalformedTranscription, parse_verbose_json
from orchestration.services.whisper_openai import to_wav

_NOT_LANGUAGES = frozenset({"", "auto", "unknown"})


class LivetranslateWhisper(LivetranslateEngine):
    """A TranscriptionEngine over HTTP, with the model that the service itself has chosen.

    The service knows no prompt. Its segments are whatever its backend gave, often without times:
    where not all have them, the words are spread over the chunk.

    Raises ConfigurationError when made with a URL that is not http or https.
    """

    health_path = "health"
    lists_models = True

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        """Send one chunk as WAV; raises as the port says."""
        form = aiohttp.FormData()
        form.add_field(
            "audio", to_wav(request.audio), filename="chunk.wav", content_type="audio/wav"
        )
        form.add_field("session_id", request.session_id)
        # Silence has been cut off already, with more context than one chunk has.
        form.add_field("enable_vad", "false")
        if request.language:
            form.add_field("language", request.language)
        answer = await self._upstream.post("transcribe", form=form)
        try:
            return parse_verbose_json(
                _verbose(answer),
                duration_ms=request.duration_ms,
                language=request.language,
                engine=self.kind,
            )
        except MalformedTranscription as error:
            raise EngineError(
                f"{self.name} did not answer with a transcription: {error}.",
                {"url": f"{self.name}/transcribe", "excerpt": str(answer)[:200]},
            ) from error


def _verbose(answer: JsonValue) -> JsonValue:
    """The answer as OpenAI's `verbose_json`, of which it is nearly a subset."""
    if not isinstance(answer, dict):
        return answer
    verbose: JsonObject = {key: answer[key] for key in ("text",) if key in answer}
    language = answer.get("language")
    if isinstance(language, str) and language.lower() not in _NOT_LANGUAGES:
        verbose["language"] = language
    segments = answer.get("segments")
    if isinstance(segments, list) and segments and all(map(_has_times, segments)):
        verbose["segments"] = segments
    return verbose


def _has_times(segment: JsonValue) -> bool:
    return isinstance(segment, dict) and {"text", "start", "end"} <= segment.keys()
