"""Settings that change while the service runs."""

from orchestration.api.reference.operation import OF_A_SESSION, Operation, Operations
from orchestration.api.reference.sessions import SESSION
from orchestration.errors import (
    BadRequest,
    SessionEnded,
    SettingsConflict,
    SettingsRefused,
    UnknownSettings,
)
from orchestration.json_types import JsonObject

_VERSION: JsonObject = {
    "version": 4,
    "changed_by": "key",
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
    "PATCH /api/sessions/{session_id}": Operation(
        "Change a running session's settings and languages",
        {**SESSION, "settings": {"chunk_ms": 6000}, "target_languages": ["pt", "es"]},
        {"settings": {"chunk_ms": 6000}, "target_languages": ["pt", "es"]},
        (*OF_A_SESSION, BadRequest, SessionEnded),
    ),
}
