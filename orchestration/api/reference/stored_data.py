"""What is stored of sessions beside their transcripts, and what finds it."""

from orchestration.api.reference.operation import OF_A_LIST, OF_A_SESSION, Operation, Operations
from orchestration.errors import BadRequest, LimitReached
from orchestration.json_types import JsonObject

ERASURE: JsonObject = {
    "erasure_id": 3,
    "kind": "session",
    "sessions": 1,
    "rows": {"transcripts": 14, "events": 61},
    "files": 2,
    "bytes": 1054221,
    "erased_at": "2026-09-21T15:00:00.000Z",
}

OPERATIONS: Operations = {
    "DELETE /api/sessions/{session_id}": Operation(
        "Erase a session", ERASURE, problems=OF_A_SESSION
    ),
    "GET /api/sessions/{session_id}/export": Operation(
        "All of a session as one archive",
        problems=(*OF_A_SESSION, LimitReached),
        answers={("200", "application/zip"): "PK…"},
    ),
    "DELETE /api/people": Operation(
        "Erase a person", {**ERASURE, "kind": "person"}, {"email": "ana@example.org"}, (BadRequest,)
    ),
    "GET /api/erasures": Operation("Receipts", {"items": [ERASURE], "next_before": None}),
    "GET /api/sessions/{session_id}/chunks": Operation(
        "What whisper was given",
        {
            "items": [
                {
                    "stream": 0,
                    "start": 28.0,
                    "end": 34.0,
                    "first_sample": 448000,
                    "end_sample": 544000,
                    "outcome": "heard",
                    "engine": "embedded",
                    "language": "en",
                    "words": 3,
                    "attempts": 1,
                    "latency": 0.41,
                    "answered_at": "2026-09-21T14:13:54.500Z",
                    "quality": {
                        "score": 0.87,
                        "rms_dbfs": -23.1,
                        "snr_db": 24.5,
                        "speech_ratio": 0.61,
                        "clipped_ratio": 0.0,
                    },
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "GET /api/sessions/{session_id}/translations": Operation(
        "Translations by time",
        {
            "items": [
                {
                    "segment_id": "weekly:0:12",
                    "stream": 0,
                    "start": 31.2,
                    "end": 33.84,
                    "source_language": "en",
                    "language": "pt",
                    "text": "Vamos começar?",
                    "state": "final",
                    "engine": "embedded",
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "GET /api/sessions/{session_id}/correlations": Operation(
        "How names came to lines",
        {
            "items": [
                {
                    "correlation_id": "weekly:weekly:0:12",
                    "type": "interpolated",
                    "method": "temporal",
                    "confidence": 0.93,
                    "timing_offset": 0.12,
                    "speaker_id": "p-101",
                    "speaker_name": "Ana",
                    "segment_id": "weekly:0:12",
                    "caption_id": None,
                    "start": 31.2,
                    "end": 33.84,
                    "metadata": {},
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "GET /api/search": Operation(
        "Find what was said",
        {
            "items": [
                {
                    "session_id": "weekly",
                    "title": "Weekly",
                    "kind": "transcript",
                    "segment_id": "weekly:0:12",
                    "language": "en",
                    "start": 31.2,
                    "end": 33.84,
                    "absolute_start": "2026-09-21T14:13:51.200Z",
                    "speaker_id": "p-101",
                    "speaker_name": "Ana",
                    "text": "Shall we begin?",
                    "snippet": "Shall we [begin]?",
                    "rank": 0.06,
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
}
