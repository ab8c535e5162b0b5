"""Keys and settings."""

from orchestration.api.reference.operation import Operation, Operations

OPERATIONS: Operations = {
    "POST /api/tickets": Operation(
        "A ticket for one WebSocket",
        {"ticket": "uO2Hn3s0a9g4o2d0kM7m1q8Qv5l1eYvUq3bD9cX6z2E", "expires_in": 60},
    ),
    "POST /api/sign-in": Operation("A browser's cookie for the key"),
    "GET /api/config": Operation(
        "What a page or a bot needs",
        {
            "version": "0.1.0",
            "services": {
                "whisper": {"url": "/api/whisper", "kind": "embedded", "upstreams": 0},
                "translation": {"url": "/api/translation", "kind": "upstreams", "upstreams": 1},
            },
            "features": {"recordings": True, "api_key": False},
            "audio_settings": {"preset": "default", "max_upload_bytes": 104857600},
            "session_settings": {"chunk_ms": 4000, "overlap_ms": 2000},
            "ingest_limits": {"max_frame_bytes": 65536, "window_frames": 600},
            "live_limits": {"snapshot_segments": 1000},
        },
    ),
    "GET /api/settings": Operation(
        "The settings that hold",
        {
            "version": 4,
            "settings": {"log_level": "INFO", "live": {"snapshot_segments": 500}},
            "changed": [{"setting": "live.snapshot_segments", "before": 1000, "after": 500}],
            "stored": {"live": {"snapshot_segments": 500}},
            "after_restart": [],
            "config_file": None,
            "fault": None,
            "applied": [],
        },
    ),
    "POST /api/settings/validate": Operation(
        "Whether settings would do",
        {
            "valid": False,
            "faults": [
                {
                    "setting": "live.viewer_queue_events",
                    "reason": "Input should be greater than or equal to 10.",
                }
            ],
            "changes": [],
            "refused": [],
        },
        {"settings": {"live": {"viewer_queue_events": 0}}},
    ),
}
