"""The client's methods for audio that does not stream, and for what it passes before whisper."""

import base64
from typing import Literal

from orchestration.client.files import AudioSource, file_form, participant_json
from orchestration.client.transport import LONG_ANSWER_TIMEOUT_S, Transport, given
from orchestration.json_types import JsonObject
from orchestration.session.inputs import ParticipantRef

TRANSCRIPTIONS_PATH = "/v1/audio/transcriptions"


class AudioCalls(Transport):
    """Chunks, stages, figures, models, and whole files by OpenAI's route."""

    async def models(self) -> JsonObject:
        """The models of all whisper services, and what both pools run on."""
        return await self._json("GET", "/api/audio/models")

    async def store_chunk(
        self,
        session_id: str,
        sequence: int,
        audio: bytes,
        *,
        stream: int = 0,
        first_sample: int | None = None,
        encoding: Literal["s16le", "f32le", "file"] = "s16le",
        sample_rate: int = 16_000,
        channels: int = 1,
        participant: ParticipantRef | None = None,
    ) -> JsonObject:
        """Some seconds of audio: durable once this returns, once however often it is sent."""
        body = given(
            session_id=session_id,
            sequence=sequence,
            stream=stream,
            first_sample=first_sample,
            encoding=encoding,
            sample_rate=sample_rate,
            channels=channels,
            participant=participant_json(participant),
            audio_data=base64.b64encode(audio).decode(),
        )
        return await self._json("POST", "/api/audio/chunk", body=body)

    async def audio_statistics(self, session_id: str | None = None) -> JsonObject:
        """Uploads and chunks; with a session, the quality of its audio."""
        return await self._json("GET", "/api/audio/stats", query={"session_id": session_id})

    async def audio_presets(self) -> JsonObject:
        """Every preset with all its stages."""
        return await self._json("GET", "/api/audio/presets")

    async def audio_config(self) -> JsonObject:
        """The stages of sessions that do not say."""
        return await self._json("GET", "/api/audio/config")

    async def check_audio_setting(self, preset: str, stages: JsonObject) -> JsonObject:
        """What a preset with changed stages comes to."""
        body: JsonObject = {"preset": preset, "stages": stages}
        return await self._json("POST", "/api/audio/config", body=body)

    # OpenAI's API

    async def transcription_models(self) -> JsonObject:
        """What OpenAI's clients may name as `model`."""
        return await self._json("GET", "/v1/models")

    async def transcribe(
        self,
        file: AudioSource,
        *,
        language: str | None = None,
        prompt: str | None = None,
        words: bool = False,
    ) -> JsonObject:
        """Hear a file by the whisper pool, without a session: `{text, segments, duration, …}`, with
        `words` and their times if they are wanted."""
        fields = {"model": "whisper-1", "language": language, "prompt": prompt}
        fields["response_format"] = "verbose_json"
        wanted = ["segment", "word"] if words else ["segment"]
        with file_form(file, fields, {"timestamp_granularities[]": wanted}) as form:
            return await self._json(
                "POST", TRANSCRIPTIONS_PATH, data=form, timeout_s=LONG_ANSWER_TIMEOUT_S
            )

    async def transcribe_text(
        self,
        file: AudioSource,
        form: Literal["text", "srt", "vtt"] = "text",
        *,
        language: str | None = None,
        prompt: str | None = None,
    ) -> str:
        """The same as plain text or subtitles."""
        fields = {"model": "whisper-1", "language": language, "prompt": prompt}
        with file_form(file, fields | {"response_format": form}) as data:
            return await self._text(
                "POST", TRANSCRIPTIONS_PATH, data=data, timeout_s=LONG_ANSWER_TIMEOUT_S
            )
