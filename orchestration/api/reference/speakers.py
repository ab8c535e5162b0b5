"""Who spoke, and corrections by hand."""

from orchestration.api.reference.operation import OF_A_LIST, OF_A_SESSION, Operation, Operations
from orchestration.errors import BadRequest, SessionEnded
from orchestration.json_types import JsonObject

_METHOD: JsonObject = {
    "method": "temporal",
    "type": "interpolated",
    "segments": 14,
    "words": 171,
    "speaking_seconds": 61.2,
    "confidence": 0.93,
    "sure": 12,
}
STATISTICS: JsonObject = {
    "segments": 14,
    "named_segments": 14,
    "coverage": 1.0,
    "identified": 1.0,
    "mean_confidence": 0.93,
    "success_rate": 0.86,
    "by_method": {"temporal": _METHOD},
}
_CORRECTED: JsonObject = {"session_id": "weekly", "repainted": 4}
_OF_A_CORRECTION = (*OF_A_LIST, SessionEnded)
_AT = "2026-09-21T15:02:11.000Z"

OPERATIONS: Operations = {
    "GET /api/sessions/{session_id}/speakers": Operation(
        "Who spoke",
        {
            "session_id": "weekly",
            "items": [
                {
                    "id": "p-101",
                    "name": "Ana",
                    "is_participant": True,
                    "is_bot": False,
                    "email": None,
                    "google_id": None,
                    "joined": 0.0,
                    "left": None,
                    "speaking_seconds": 61.2,
                    "words": 171,
                    "segments": 14,
                    "first_spoke": 31.2,
                    "last_spoke": 402.5,
                    "confidence": 0.93,
                    "methods": [_METHOD],
                    "labels": [{"label": "S1", "words": 171}],
                    "manual": False,
                    "merged_into": None,
                    "names": [{"name": "Ana", "by": None, "at": _AT}],
                }
            ],
            "unnamed_labels": [],
        },
        problems=OF_A_SESSION,
    ),
    "GET /api/sessions/{session_id}/speakers/corrections": Operation(
        "Corrections by hand",
        {
            "items": [
                {
                    "number": 1,
                    "correction": {"kind": "rename", "speaker_id": "p-101", "name": "Ana"},
                    "by": "ana",
                    "at": _AT,
                    "repainted": 4,
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "POST /api/sessions/{session_id}/speakers/map": Operation(
        "Say whose a line or a voice is",
        _CORRECTED,
        {"by": "ana", "segment_id": "weekly:0:12", "person": {"id": "p-101", "name": "Ana"}},
        _OF_A_CORRECTION,
    ),
    "POST /api/sessions/{session_id}/speakers/unmap": Operation(
        "Take that back",
        _CORRECTED,
        {"by": "ana", "segment_id": "weekly:0:12"},
        _OF_A_CORRECTION,
    ),
    "POST /api/sessions/{session_id}/speakers/merge": Operation(
        "Make one person of two",
        _CORRECTED,
        {"by": "ana", "speaker_id": "p-102", "into_id": "p-101"},
        _OF_A_CORRECTION,
    ),
    "POST /api/sessions/{session_id}/speakers/rename": Operation(
        "Name a person",
        _CORRECTED,
        {"by": "ana", "speaker_id": "p-101", "name": "Ana"},
        _OF_A_CORRECTION,
    ),
    "GET /api/audio/correlations": Operation(
        "How names came to lines, with statistics",
        {
            "session_id": "weekly",
            "items": [
                {
                    "correlation_id": "12",
                    "session_id": "weekly",
                    "segment_id": "weekly:0:12",
                    "whisper_speaker_id": None,
                    "google_meet_speaker_id": None,
                    "google_meet_speaker_name": None,
                    "external_speaker_id": "p-101",
                    "external_speaker_name": "Ana",
                    "correlation_confidence": 0.93,
                    "correlation_type": "interpolated",
                    "correlation_method": "temporal",
                    "start_timestamp": 31.2,
                    "end_timestamp": 33.84,
                    "timing_offset": 0.12,
                    "correlation_metadata": {},
                    "created_at": _AT,
                }
            ],
            "next_cursor": None,
            "statistics": STATISTICS,
        },
        problems=OF_A_LIST,
    ),
    "POST /api/audio/correlations": Operation(
        "Name by hand, or count anew",
        {"session_id": "weekly", "status": "mapped", "repainted": 4, "statistics": STATISTICS},
        {
            "session_id": "weekly",
            "segment_id": "weekly:0:12",
            "external_speaker_id": "p-101",
            "external_speaker_name": "Ana",
        },
        (*_OF_A_CORRECTION, BadRequest),
    ),
}
