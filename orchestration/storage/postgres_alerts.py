"""Alerts in PostgreSQL, for readers: by the page, and change by change."""

from collections.abc import Sequence
from datetime import UTC, datetime

from orchestration.health.alerts import Alert
from orchestration.storage.alert_ports import AlertChange, AlertState
from orchestration.storage.pool import Pool, database
from orchestration.storage.rows import Row

ALERT_COLUMNS = """alert_id, code, severity, subject, message, value, occurrence, raised_at,
    cleared_at"""

PAGE = f"""
SELECT {ALERT_COLUMNS} FROM bot_sessions.alerts
WHERE ($1::bigint IS NULL OR alert_id < $1) AND (NOT $2 OR cleared_at IS NULL)
ORDER BY alert_id DESC LIMIT $3
"""

# What a change says is the alert as it was then: one raised and cleared since was not cleared yet.
CHANGE_COLUMNS = """c.change_id, c.change, c.changed_at, a.alert_id, a.code, a.severity, a.subject,
    a.message, a.value, a.occurrence, a.raised_at,
    CASE c.change WHEN 'cleared' THEN a.cleared_at END AS cleared_at"""

CHANGES = f"""
SELECT {CHANGE_COLUMNS}
FROM bot_sessions.alert_changes c JOIN bot_sessions.alerts a USING (alert_id)
WHERE c.change_id > $1 ORDER BY c.change_id LIMIT $2
"""

LAST_CHANGE = "SELECT coalesce(max(change_id), 0) FROM bot_sessions.alert_changes"


class PostgresAlertLog:
    """`AlertLog` over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def alerts_page(
        self, state: AlertState, before: int | None, limit: int
    ) -> tuple[Sequence[Alert], int | None]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(PAGE, before, state == "open", limit + 1)
        alerts = [alert_from(row) for row in rows[:limit]]
        return alerts, alerts[-1].alert_id if len(rows) > limit else None

    async def alert_changes(self, after: int, limit: int) -> Sequence[AlertChange]:
        async with database(self._pool) as connection:
            return [change_from(row) for row in await connection.fetch(CHANGES, after, limit)]

    async def last_alert_change(self) -> int:
        async with database(self._pool) as connection:
            return int(await connection.fetchval(LAST_CHANGE))


def alert_from(row: Row) -> Alert:
    """The alert in a row with `ALERT_COLUMNS`."""
    cleared = row["cleared_at"]
    return Alert(
        row["code"],
        row["severity"],
        row["subject"],
        row["message"],
        row["value"],
        unix_ms(row["raised_at"]),
        None if cleared is None else unix_ms(cleared),
        row["alert_id"],
        row["occurrence"],
    )


def change_from(row: Row) -> AlertChange:
    """The change in a row with `CHANGE_COLUMNS`."""
    return AlertChange(row["change_id"], row["change"], unix_ms(row["changed_at"]), alert_from(row))


def unix_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
