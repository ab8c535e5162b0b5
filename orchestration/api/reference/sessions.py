"""Sessions, and what is stored of them."""

from orchestration.api.reference.operation import OF_A_LIST, OF_A_SESSION, Operation, Operations
from orchestration.api.reference.speakers import STATISTICS
from orchestration.errors import (
    BadRequest,
    LimitReached,
    NoRecording,
    SessionConflict,
    SessionEnded,
)
from orchestration.json_types import JsonObject

SESSION: JsonObject = {
    "session_id": "weekly",
    "status": "created",
    "status_detail": None,
    "meeting_id": None,
    "title": "Weekly",
    "language": "en",
    "target_languages": ["pt"],
    "settings": {},
    "created_at": "2026-09-21T14:13:20.000Z",
    "ended_at": None,
    "ingest_url": "ws://localhost:3000/ws/ingest/weekly",
    "live_url": "ws://localhost:3000/ws/live/weekly",
}
SEGMENT: JsonObject = {
    "segment_id": "weekly:0:12",
    "revision": 1,
    "state": "final",
    "stream": 0,
    "start": 31.2,
    "end": 33.84,
    "absolute_start": "2026-09-21T14:13:51.200Z",
    "absolute_end": "2026-09-21T14:13:53.840Z",
    "speaker": {"id": "p-101", "name": "Ana", "confidence": 1.0, "method": "own_stream"},
    "language": "en",
    "text": "Shall we begin?",
    "words": [
        {"text": "Shall", "start": 31.2, "end": 31.5, "probability": 0.98},
        {"text": "we", "start": 31.5, "end": 31.7, "probability": 0.99},
        {"text": "begin?", "start": 31.7, "end": 33.84, "probability": 0.97},
    ],
    "translations": {"pt": {"text": "Vamos começar?", "state": "final"}},
}
COVERAGE: JsonObject = {
    "streams": [
        {
            "id": 0,
            "sample_rate": 16000,
            "duration": 1160000,
            "transcribed": 900000,
            "silent": 260000,
            "pending": 0,
            "lost": 0,
            "lost_by_reason": {},
        }
    ],
    "gaps": [],
}

OPERATIONS: Operations = {
    "POST /api/sessions": Operation(
        "Create a session",
        SESSION,
        {"title": "Weekly", "language": "en", "target_languages": ["pt"]},
        (SessionConflict, LimitReached),
    ),
    "GET /api/sessions": Operation(
        "List sessions", {"items": [SESSION], "next_cursor": None}, problems=(BadRequest,)
    ),
    "GET /api/sessions/{session_id}": Operation("One session", SESSION, problems=OF_A_SESSION),
    "PATCH /api/sessions/{session_id}": Operation(
        "Change a running session's settings and languages",
        {**SESSION, "settings": {"chunk_ms": 6000}, "target_languages": ["pt", "es"]},
        {"settings": {"chunk_ms": 6000}, "target_languages": ["pt", "es"]},
        (*OF_A_SESSION, BadRequest, SessionEnded),
    ),
    "POST /api/sessions/{session_id}/end": Operation(
        "End a session", {**SESSION, "status": "ending"}, problems=(*OF_A_SESSION, SessionEnded)
    ),
    "POST /api/sessions/{session_id}/repair": Operation(
        "Hear lost audio again",
        {"session_id": "weekly", "ranges": 2},
        problems=(*OF_A_SESSION, SessionEnded),
    ),
    "GET /api/sessions/{session_id}/participants": Operation(
        "Who was in the meeting",
        {
            "items": [
                {
                    "id": "p-101",
                    "name": "Ana",
                    "email": None,
                    "is_bot": False,
                    "joined": 0.0,
                    "left": None,
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "GET /api/sessions/{session_id}/transcript": Operation(
        "The transcript",
        {
            "session_id": "weekly",
            "status": "completed",
            "language": "en",
            "segments": [SEGMENT],
            "coverage": COVERAGE,
        },
        problems=OF_A_LIST,
        answers={
            ("200", "text/plain"): "Ana: Shall we begin?\n",
            (
                "200",
                "application/x-subrip",
            ): "1\n00:00:31,200 --> 00:00:33,840\nAna: Shall we begin?\n",
            (
                "200",
                "text/vtt",
            ): "WEBVTT\n\n00:00:31.200 --> 00:00:33.840\n<v Ana>Shall we begin?\n",
        },
    ),
    "GET /api/sessions/{session_id}/coverage": Operation(
        "Every sample's fate", COVERAGE, problems=OF_A_SESSION
    ),
    "GET /api/sessions/{session_id}/events": Operation(
        "Durable events",
        {
            "session_id": "weekly",
            "items": [{"type": "status", "seq": 1, "status": "active", "detail": None}],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "GET /api/sessions/{session_id}/recording": Operation(
        "A stream's audio",
        problems=(*OF_A_SESSION, NoRecording, LimitReached),
        answers={("200", "audio/flac"): "fLaC…"},
    ),
    "GET /api/sessions/{session_id}/audio-files": Operation(
        "Recorded files",
        {
            "items": [
                {
                    "file_name": "00000-000000000000000-000000000960000.flac",
                    "stream": 0,
                    "start": 0.0,
                    "end": 60.0,
                    "first_sample": 0,
                    "end_sample": 960000,
                    "sample_rate": 16000,
                    "channels": 1,
                    "file_size": 873201,
                    "sha256": "5d1be7e9dda1ee8896be5b7e34a85ee16452a7b602c05891ad4a4a6d1a5e2d3c",
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "GET /api/sessions/{session_id}/transcripts": Operation(
        "Final segments by time", {"items": [SEGMENT], "next_cursor": None}, problems=OF_A_LIST
    ),
    "GET /api/sessions/{session_id}/statistics": Operation(
        "A session's figures",
        {
            "session_id": "weekly",
            "total_duration": 72.5,
            "total_participants": 4,
            "unique_speakers": 3,
            "total_audio_files": 2,
            "total_audio_duration": 72.5,
            "total_audio_size": 1054221,
            "total_transcripts": 14,
            "total_transcript_words": 171,
            "total_translations": 14,
            "translation_languages": ["pt"],
            "clocks": [
                {
                    "stream": 0,
                    "at_sample": 1160000,
                    "rate_ppm": 12.4,
                    "rate_error_ppm": 0.8,
                    "offset": 0.003,
                    "offset_error": 0.001,
                }
            ],
            "clock_changes": [],
            "correlation": STATISTICS,
        },
        problems=OF_A_SESSION,
    ),
}
