"""Everything of a session on its one timeline."""

from orchestration.api.reference.operation import OF_A_LIST, OF_A_SESSION, Operation, Operations
from orchestration.json_types import JsonObject

_CORRECTION: JsonObject = {
    "source": "captions",
    "offset": 0.15,
    "matched": 42,
    "reason": "42 rows are 0.150 s late in the median",
    "by": "ana",
    "applied_at": "2026-09-21T15:02:11.000Z",
    "quality_before": 0.7,
    "quality_after": 1.0,
}
_SOURCE: JsonObject = {
    "source": "captions",
    "moves": True,
    "timing_offset": 0.15,
    "offset_spread": 0.0,
    "correction": 0.15,
    "remaining_offset": 0.0,
    "accuracy": "exact",
    "quality": 1.0,
    "matched": 42,
}

OPERATIONS: Operations = {
    "GET /api/audio/timing": Operation(
        "All sources within a window",
        {
            "session_id": "weekly",
            "time_range": {"start": 30.0, "end": 35.0},
            "tolerance": 0.1,
            "synchronization_quality": 1.0,
            "drift_detected": False,
            "time_drift": {"captions": 0.0},
            "sources": [_SOURCE],
            "corrections": [_CORRECTION],
            "items": [
                {
                    "source": "transcripts",
                    "id": "weekly:0:12",
                    "start": 31.2,
                    "end": 33.84,
                    "correction": 0.0,
                    "stream": 0,
                    "segment_id": "weekly:0:12",
                    "speaker_id": "p-101",
                    "speaker_name": "Ana",
                    "language": "en",
                    "text": "Shall we begin?",
                    "confidence": 0.98,
                    "timing_correlations": [
                        {
                            "source": "captions",
                            "id": "fact-7",
                            "start": 31.2,
                            "end": 33.84,
                            "overlap": 2.64,
                            "confidence": 1.0,
                            "timing_offset": 0.0,
                            "accuracy": "exact",
                        }
                    ],
                }
            ],
            "next_cursor": None,
        },
        problems=OF_A_LIST,
    ),
    "POST /api/audio/timing": Operation(
        "Correct a session's sources",
        {
            "session_id": "weekly",
            "status": "aligned",
            "quality_before": 0.7,
            "quality_after": 1.0,
            "corrections_applied": 1,
            "corrections": [_CORRECTION],
            "left": {"speaker_intervals": "good enough"},
            "sources": [_SOURCE],
        },
        {"session_id": "weekly", "sources": ["captions"], "by": "ana"},
        OF_A_SESSION,
    ),
}
