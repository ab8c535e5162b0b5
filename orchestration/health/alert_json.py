"""Alerts as everybody outside sees them: over HTTP, as events, and in posts."""

from orchestration.health.alerts import Alert
from orchestration.json_types import JsonObject
from orchestration.session.events import iso_utc


def alert_json(alert: Alert) -> JsonObject:
    """One alert. `id` is null while it is not stored, `cleared_at` while it holds."""
    cleared = alert.cleared_unix_ms
    return {
        "id": alert.alert_id,
        "code": alert.code,
        "level": alert.level,
        "subject": alert.subject,
        "message": alert.message,
        "value": alert.value,
        "occurrence": alert.occurrence,
        "raised_at": iso_utc(alert.raised_unix_ms),
        "cleared_at": None if cleared is None else iso_utc(cleared),
    }
