"""The client's methods for the service itself: configuration, figures, connections, audio."""

import base64

from orchestration.client.calls import Calls
from orchestration.errors import JsonObject


class ServiceCalls(Calls):
    """What is set, what is counted, who is connected, and audio in chunks."""

    async def config(self) -> JsonObject:
        """What a page or a bot needs to know before it starts."""
        return await self._json("GET", "/api/config")

    async def settings(self) -> JsonObject:
        """The settings that hold, and what of them is not the default."""
        return await self._json("GET", "/api/settings")

    async def validate_settings(self, settings: JsonObject) -> JsonObject:
        """Whether settings, laid over those that hold, would do."""
        return await self._json("POST", "/api/settings/validate", body={"settings": settings})

    async def metrics(self) -> JsonObject:
        return await self._json("GET", "/api/metrics")

    async def dashboard(self) -> JsonObject:
        """All that an operator looks at."""
        return await self._json("GET", "/api/dashboard")

    async def connections(self, *, session_id: str | None = None) -> JsonObject:
        """Open WebSockets of the replica that answers, oldest first."""
        query = {"session_id": session_id}
        return await self._json("GET", "/api/websocket/connections", query=query)

    async def connection_statistics(self) -> JsonObject:
        return await self._json("GET", "/api/websocket/stats")

    async def ticket(self) -> JsonObject:
        """`{ticket, expires_in}`, for one WebSocket of a browser."""
        return await self._json("POST", "/api/tickets")

    # Audio

    async def store_chunk(
        self,
        session_id: str,
        sequence: int,
        audio: bytes,
        *,
        stream: int = 0,
        sample_rate: int = 16_000,
        channels: int = 1,
    ) -> JsonObject:
        """Some seconds of s16le audio: durable once this returns, once however often it is sent."""
        body: JsonObject = {
            "session_id": session_id,
            "sequence": sequence,
            "stream": stream,
            "sample_rate": sample_rate,
            "channels": channels,
            "audio_data": base64.b64encode(audio).decode(),
        }
        return await self._json("POST", "/api/audio/chunk", body=body)

    async def upload_job(self, job_id: str) -> JsonObject:
        """How an uploaded file is doing, and its result once it is done."""
        return await self._json("GET", f"/api/audio/jobs/{job_id}")

    async def audio_statistics(self, session_id: str | None = None) -> JsonObject:
        """Uploads and chunks; with a session, the quality of its audio."""
        return await self._json("GET", "/api/audio/stats", query={"session_id": session_id})

    async def audio_presets(self) -> JsonObject:
        return await self._json("GET", "/api/audio/presets")

    async def check_audio_setting(self, preset: str, stages: JsonObject) -> JsonObject:
        """What a preset with changed stages comes to."""
        body: JsonObject = {"preset": preset, "stages": stages}
        return await self._json("POST", "/api/audio/config", body=body)
