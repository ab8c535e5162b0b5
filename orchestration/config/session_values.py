"""From settings to the plain values that session actors hold."""

from orchestration.audio.presets import resolve_stages
from orchestration.config.models import Settings
from orchestration.session.values import ChunkingValues, SessionValues


def session_values(settings: Settings) -> SessionValues:
    """What governs every session of a service with these settings."""
    return SessionValues(
        chunking=ChunkingValues(**settings.sessions.chunking.model_dump()),
        window_frames=settings.ingest.window_frames,
        max_streams=settings.ingest.max_streams,
        max_participants=settings.ingest.max_participants,
        prompt_characters=settings.sessions.prompt_characters,
        abandoned_after_ms=settings.sessions.abandoned_after_s * 1000,
        recordings_dir=str(settings.recordings_dir) if settings.sessions.record else None,
        recording_file_ms=settings.sessions.recording_file_s * 1000,
        loopback_names=settings.sessions.loopback_names,
        stages=resolve_stages({"preset": settings.audio.preset}),
    )
