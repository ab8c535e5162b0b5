"""Audio as files and chunks, and OpenAI's routes."""

from orchestration.api.reference.operation import Operation, Operations
from orchestration.api.reference.sessions import SEGMENT
from orchestration.errors import (
    AudioExpandsTooMuch,
    AudioTooLong,
    BadAudio,
    BadRequest,
    ChunkOutOfOrder,
    DecodingTooSlow,
    EngineBusy,
    EngineError,
    EngineTimeout,
    FrameConflict,
    KeyReused,
    LimitReached,
    RepeatUnderWay,
    SessionEnded,
    TooLarge,
    UnknownJob,
    UnknownSession,
    UnsupportedAudio,
    UpstreamsDown,
)
from orchestration.json_types import JsonObject

_OF_A_FILE = (
    BadRequest,
    TooLarge,
    UnsupportedAudio,
    AudioTooLong,
    AudioExpandsTooMuch,
    DecodingTooSlow,
)
_OF_OPENAIS_FILE = tuple(BadAudio if one is UnsupportedAudio else one for one in _OF_A_FILE)
_OF_ENGINES = (EngineError, EngineTimeout, EngineBusy, UpstreamsDown)
_RESULT: JsonObject = {
    "request_id": "9a41c3bb7f2e4d0c8a6f1e2d.0",
    "session_id": "9a41c3bb7f2e4d0c8a6f1e2d",
    "filename": "interview.mp3",
    "file_size": 963412,
    "audio_metadata": {
        "container": "mp3",
        "codec": "mp3float",
        "sample_rate": 44100,
        "channels": 2,
        "duration": 60.2,
        "damaged_packets": 0,
    },
    "processing_result": {
        "session_id": "9a41c3bb7f2e4d0c8a6f1e2d",
        "stream": 0,
        "status": "completed",
        "text": "Shall we begin?",
        "language": "en",
        "segments": [SEGMENT],
        "speakers": [],
        "pending_seconds": 0.0,
        "lost_seconds": 0.0,
    },
    "translations": {
        "pt": {
            "translated_text": "Vamos começar?",
            "source_language": "en",
            "target_language": "pt",
            "confidence": None,
            "processing_time": None,
            "model_used": None,
        }
    },
    "translation_error": None,
}
_JOB: JsonObject = {
    "job_id": "9a41c3bb7f2e4d0c8a6f1e2d.0",
    "request_id": "9a41c3bb7f2e4d0c8a6f1e2d.0",
    "session_id": "9a41c3bb7f2e4d0c8a6f1e2d",
    "status": "processing",
    "stage": "transcribing",
    "progress": 0.4,
    "decoded_seconds": 60.2,
    "transcribed_seconds": 24.1,
    "status_url": "/api/audio/jobs/9a41c3bb7f2e4d0c8a6f1e2d.0",
    "live_url": "/ws/live/9a41c3bb7f2e4d0c8a6f1e2d",
    "error": None,
    "result": None,
}
_CONFIG: JsonObject = {
    "preset": "noisy",
    "stages": {
        "limiter": {
            "enabled": True,
            "gain_in_db": 0.0,
            "gain_out_db": 0.0,
            "parameters": {"ceiling_db": -1, "lookahead_ms": 5},
        }
    },
    "parameters": {
        "limiter": {"ceiling_db": {"default": -1, "min": -12, "max": 0, "unit": "dBFS"}}
    },
}
_DEVICES: JsonObject = {
    "device": "cpu",
    "device_type": "cpu",
    "acceleration": None,
    "status": "online",
    "error": None,
    "details": [],
}

OPERATIONS: Operations = {
    "POST /api/audio/upload": Operation(
        "Transcribe a file",
        _RESULT,
        problems=(
            *_OF_A_FILE,
            LimitReached,
            UnknownSession,
            SessionEnded,
            KeyReused,
            RepeatUnderWay,
            *_OF_ENGINES,
        ),
        answers={
            ("200", "text/event-stream"): 'event: progress\ndata: {"progress": 0.4, …}\n\n',
            ("202", "application/json"): _JOB,
        },
    ),
    "GET /api/audio/jobs/{job_id}": Operation(
        "How a file is doing", _JOB, problems=(UnknownJob, UnknownSession)
    ),
    "POST /api/audio/chunk": Operation(
        "Store some seconds of audio",
        {
            "chunk_id": "weekly:0:0",
            "session_id": "weekly",
            "status": "stored",
            "processing_result": {"stream": 0, "sequence": 0, "next_sequence": 1},
            "timestamp": "2026-09-21T14:20:00.000Z",
            "message": "Chunk 0 is durable; chunk 1 is next.",
        },
        problems=(
            *_OF_A_FILE,
            BadAudio,
            UnknownSession,
            ChunkOutOfOrder,
            FrameConflict,
            SessionEnded,
        ),
    ),
    "GET /api/audio/stats": Operation(
        "Uploads, chunks, and how good audio is",
        {
            "uploads_under_way": 1,
            "uploads_done": 4,
            "uploads_failed": 0,
            "max_uploads": 2,
            "chunks": 210,
            "streams": [
                {
                    "stream": 0,
                    "chunks": 210,
                    "score": 0.87,
                    "snr_db": 24.5,
                    "speech_ratio": 0.61,
                    "rms_dbfs": -23.1,
                    "clipped_ratio": 0.0,
                }
            ],
        },
        problems=(UnknownSession,),
    ),
    "GET /api/audio/presets": Operation("Every preset in full", {"noisy": _CONFIG}),
    "GET /api/audio/config": Operation("What sessions get that do not say", _CONFIG),
    "POST /api/audio/config": Operation(
        "Check an audio setting", _CONFIG, {"preset": "noisy", "stages": {}}
    ),
    "GET /api/audio/models": Operation(
        "Models and devices of both pools",
        {
            "status": "success",
            "service": "whisper",
            "available_models": ["base"],
            "models": [{"name": "base", "service": "embedded", "kind": "embedded"}],
            "total_models": 1,
            "device_info": {"audio_service": _DEVICES, "translation_service": _DEVICES},
            "errors": {},
        },
    ),
    "GET /v1/models": Operation(
        "What OpenAI's clients may name",
        {
            "object": "list",
            "data": [
                {"id": "whisper-1", "object": "model", "created": 0, "owned_by": "orchestration"}
            ],
        },
    ),
    "POST /v1/audio/transcriptions": Operation(
        "Transcribe a file for OpenAI's clients",
        {"text": "Shall we begin?"},
        problems=(*_OF_OPENAIS_FILE, LimitReached, *_OF_ENGINES),
        answers={
            ("200", "text/plain"): "Shall we begin?\n",
            ("200", "text/vtt"): "WEBVTT\n\n00:00:31.200 --> 00:00:33.840\nShall we begin?\n",
        },
    ),
}
