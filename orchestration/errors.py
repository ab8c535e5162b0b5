"""One tree of errors.

Every error carries a sentence for people (what happened and what to do) and facts for programs.
The class says how it looks at the edge: its `code` in messages and problem bodies, its HTTP
status, and the WebSocket close code that follows a fatal one; what it does not say is its parent's.
Arguments are positional, so that an error survives pickling between processes.
"""

from collections.abc import Mapping
from typing import ClassVar

from orchestration.json_types import JsonValue


class OrchestrationError(Exception):
    """Something the service can name went wrong."""

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011

    def __init__(self, message: str, facts: Mapping[str, JsonValue] | None = None) -> None:
        super().__init__(message, dict(facts or {}))

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.args[0])

    @property
    def facts(self) -> dict[str, JsonValue]:
        """What a program needs to act: limits, expected values, identifiers."""
        facts: dict[str, JsonValue] = self.args[1]
        return facts

    def __str__(self) -> str:
        return self.message


# What a client sent


class BadRequest(OrchestrationError):
    """A request or message does not have the documented shape."""

    code = "bad_request"
    http_status = 400
    close_code = 4000


class BadAudio(OrchestrationError):
    """Audio of a wrong size, version, stream or sample clock."""

    code = "bad_audio"
    http_status = 400
    close_code = 4008


class TooLarge(OrchestrationError):
    """A frame, text message or body is over its limit."""

    code = "too_large"
    http_status = 413
    close_code = 1009


class BodyTooSlow(OrchestrationError):
    """A request's body did not arrive within the time that it may take."""

    code = "body_too_slow"
    http_status = 408
    close_code = 4000


class UnsupportedAudio(OrchestrationError):
    """A file holds no audio that can be decoded within the limits of its shape."""

    code = "unsupported_audio"
    http_status = 415
    close_code = 4008


class AudioTooLong(OrchestrationError):
    """A file's audio lasts longer than is allowed."""

    code = "audio_too_long"
    http_status = 413
    close_code = 4008


class AudioExpandsTooMuch(OrchestrationError):
    """A small file holds more audio than is believable."""

    code = "audio_expands_too_much"
    http_status = 413
    close_code = 4008


class DecodingTooSlow(OrchestrationError):
    """A file takes more time to decode than is allowed."""

    code = "decoding_too_slow"
    http_status = 422
    close_code = 4008


class FrameConflict(OrchestrationError):
    """Two different frames came under one sequence number; the first stands."""

    code = "frame_conflict"
    http_status = 409
    close_code = 4009


class ChunkOutOfOrder(OrchestrationError):
    """A chunk came whose predecessors are missing."""

    code = "chunk_out_of_order"
    http_status = 409
    close_code = 4008


class FramesAfterEnd(OrchestrationError):
    """Audio came after the stream's announced end."""

    code = "frames_after_end"
    http_status = 409
    close_code = 4010


class NotAuthenticated(OrchestrationError):
    """No valid key or ticket came with the request."""

    code = "not_authenticated"
    http_status = 401
    close_code = 1008


class NotAllowed(OrchestrationError):
    """The caller is known but may not do this, as from a foreign Origin."""

    code = "not_allowed"
    http_status = 403
    close_code = 1008


class LimitReached(OrchestrationError):
    """A named limit of the service is reached; come back later."""

    code = "limit_reached"
    http_status = 429
    close_code = 1013


class KeyReused(OrchestrationError):
    """An `Idempotency-Key` came with another request than before."""

    code = "idempotency_key_reused"
    http_status = 422
    close_code = 4000


class RepeatUnderWay(OrchestrationError):
    """A request came again while the first one is still being begun."""

    code = "repeat_under_way"
    http_status = 409
    close_code = 4009


class SettingsRefused(OrchestrationError):
    """A change of the settings would not do; `faults` names each value, and why."""

    code = "settings_refused"
    http_status = 422
    close_code = 4000


class SettingsConflict(OrchestrationError):
    """The settings have changed since the caller looked at them."""

    code = "settings_conflict"
    http_status = 409
    close_code = 4009


# What is not there, or no longer


class UnknownSettings(OrchestrationError):
    """The settings have no version of this number, or no longer."""

    code = "unknown_settings"
    http_status = 404
    close_code = 4004


class UnknownSession(OrchestrationError):
    """No session has this id."""

    code = "unknown_session"
    http_status = 404
    close_code = 4004


class UnknownSpeaker(OrchestrationError):
    """The session has no such person, label or line."""

    code = "unknown_speaker"
    http_status = 404
    close_code = 4000


class SpeakerConflict(OrchestrationError):
    """A correction of speakers does not go with an earlier one."""

    code = "speaker_conflict"
    http_status = 409
    close_code = 4000


class SessionConflict(OrchestrationError):
    """The session exists with another description."""

    code = "session_conflict"
    http_status = 409
    close_code = 4009


class SessionRunning(OrchestrationError):
    """A session has not ended, and what was asked for has to wait until it has."""

    code = "session_running"
    http_status = 409
    close_code = 4009


class SessionEnded(OrchestrationError):
    """The session has ended and takes no more audio."""

    code = "session_ended"
    http_status = 409
    close_code = 4010


class UnknownJob(OrchestrationError):
    """No uploaded file has this job id."""

    code = "unknown_job"
    http_status = 404
    close_code = 4004


class NoRecording(OrchestrationError):
    """No audio is held for this stream."""

    code = "no_recording"
    http_status = 404
    close_code = 4004


class TakenOver(OrchestrationError):
    """A newer connection serves this session."""

    code = "taken_over"
    http_status = 409
    close_code = 4103


# What the service itself lacks


class Unavailable(OrchestrationError):
    """A part of the service is not answering right now."""

    code = "unavailable"
    http_status = 503
    close_code = 1013


class DatabaseUnavailable(Unavailable):
    """PostgreSQL cannot be reached."""

    code = "database_unavailable"


class RecordingFailed(Unavailable):
    """A recording's file cannot be written: the disk is full or broken."""

    code = "recording_failed"


class Fenced(OrchestrationError):
    """A newer incarnation of the session's actor has taken its place in the database."""

    code = "fenced"
    http_status = 409
    close_code = 1012


class ConfigurationError(OrchestrationError):
    """A setting is missing, malformed or unsafe."""

    code = "configuration_error"


class PortInUse(OrchestrationError):
    """A port that the service was told to use is taken."""

    code = "port_in_use"


class DataDirectoryInUse(OrchestrationError):
    """Another service holds this data directory."""

    code = "data_directory_in_use"


class ClusterError(OrchestrationError):
    """Ray did not start, or cannot be joined."""

    code = "cluster_error"


# Engines behind the service


class EngineError(OrchestrationError):
    """A whisper or translation service failed to answer usefully."""

    code = "engine_error"
    http_status = 502


class EngineRefused(EngineError):
    """A whisper or translation service will not take this request, now or later."""

    code = "engine_refused"


class EngineTimeout(EngineError):
    """A whisper or translation service did not answer in time."""

    code = "engine_timeout"
    http_status = 504


class EngineBusy(EngineError):
    """As many requests wait for a whisper or translation service as may."""

    code = "engine_busy"
    http_status = 503
    close_code = 1013


class UpstreamsDown(EngineError):
    """Every service of a pool has failed lately, and none is asked for a while."""

    code = "upstreams_down"
    http_status = 503
    close_code = 1013


class GoogleMeetError(OrchestrationError):
    """Google Meet's records cannot be read right now."""

    code = "google_meet_error"
    http_status = 502


class GoogleMeetRefused(GoogleMeetError):
    """Google Meet does not let these credentials read, or does not take them."""

    code = "google_meet_refused"


class GoogleMeetMissing(GoogleMeetError):
    """Google Meet has no such record, or none for these credentials."""

    code = "google_meet_missing"


class UnknownService(OrchestrationError):
    """No service of this name stands behind the gateway."""

    code = "unknown_service"
    http_status = 404
    close_code = 4004


class ModelMissing(OrchestrationError):
    """The named model cannot be found or read."""

    code = "model_missing"


class UnsupportedLanguagePair(OrchestrationError):
    """No translation engine has this pair of languages."""

    code = "unsupported_language_pair"
    http_status = 422


# What a command line user gave


class UnreadableFile(OrchestrationError):
    """A file cannot be read as audio, or as what it should be."""

    code = "unreadable_file"
    http_status = 400


class UnwritableFile(OrchestrationError):
    """A file or output cannot be written."""

    code = "unwritable_file"


class ServiceUnreachable(OrchestrationError):
    """The service does not answer at this address."""

    code = "service_unreachable"
    http_status = 503
