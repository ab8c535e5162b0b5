"""Live messages of a short meeting."""

from typing import Any


def segment(number: int, start: float, text: str, state: str = "final") -> dict[str, Any]:
    return {
        "segment_id": f"0-{number}",
        "revision": 0,
        "state": state,
        "stream": 0,
        "start": start,
        "end": start + 2,
        "speaker": {"id": "p-1", "name": "Ana", "confidence": 1.0, "method": "temporal"},
        "language": "en",
        "text": text,
        "translations": {},
    }


def translation(seq: int, number: int, text: str) -> dict[str, Any]:
    return {
        "type": "translation",
        "seq": seq,
        "segment_id": f"0-{number}",
        "language": "pt",
        "text": text,
        "state": "final",
        "revision": 0,
    }


MEETING: list[dict[str, Any]] = [
    {
        "type": "snapshot",
        "seq": 0,
        "session": {"status": "active", "target_languages": ["pt"]},
        "segments": [],
        "truncated": False,
    },
    {"type": "segment", "segment": segment(0, 1.0, "Good mor", "pending")},
    {"type": "segment", "seq": 1, "segment": segment(0, 1.0, "Good morning.")},
    translation(2, 0, "Bom dia."),
    {"type": "segment", "seq": 3, "segment": segment(1, 65.5, "\x1b[2JBye.")},
    {"type": "status", "seq": 4, "status": "completed", "detail": None},
]
COVERAGE = {
    "streams": [
        {
            "id": 0,
            "sample_rate": 8000,
            "duration": 80_000,
            "transcribed": 60_000,
            "silent": 16_000,
            "pending": 0,
            "lost": 4000,
            "lost_by_reason": {"capture_skipped": 4000},
        }
    ]
}
