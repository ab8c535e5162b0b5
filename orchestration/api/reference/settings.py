"""Settings: what holds, and how they are changed while the service runs."""

from orchestration.api.reference.operation import Operation, Operations
from orchestration.errors import BadRequest, SettingsConflict, SettingsRefused, UnknownSettings
from orchestration.json_types import JsonObject

_VERSION: JsonObject = {
    "version": 4,
    "changed_by": "key from 10.0.0.7",
    "changed_at": "2026-09-21T15:02:11.000Z",
    "comment": "Longer snapshots",
    "updated": ["live.snapshot_segments"],
    "changes": [{"setting": "live.snapshot_segments", "before": 1000, "after": 500}],
}
_PATCH: JsonObject = {
    "settings": {"live": {"snapshot_segments": 500}},
    "comment": "Longer snapshots",
    "version": 3,
}
_OF_A_CHANGE = (BadRequest, SettingsConflict, SettingsRefused)

OPERATIONS: Operations = {
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
    "POST /api/config": Operation("Change settings", _VERSION, _PATCH, _OF_A_CHANGE),
    "POST /api/settings": Operation("Change settings", _VERSION, _PATCH, _OF_A_CHANGE),
    "POST /api/settings/import": Operation(
        "Take settings from a file", _VERSION, {"live": {"snapshot_segments": 500}}, _OF_A_CHANGE
    ),
    "GET /api/settings/export": Operation(
        "Settings as a file",
        answers={("200", "application/yaml"): "live:\n  snapshot_segments: 500\n"},
    ),
    "POST /api/settings/reset": Operation(
        "Back to the file's values",
        _VERSION,
        {"settings": ["live.snapshot_segments"], "comment": "As before"},
        _OF_A_CHANGE,
    ),
    "POST /api/settings/rollback": Operation(
        "Back to an earlier version",
        _VERSION,
        {"to": 3, "comment": "As before"},
        (*_OF_A_CHANGE, UnknownSettings),
    ),
    "GET /api/settings/history": Operation(
        "Versions of the settings", {"items": [_VERSION], "next_before": None}
    ),
}
