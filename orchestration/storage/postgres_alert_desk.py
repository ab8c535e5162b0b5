"""Alerts in PostgreSQL, for the one who raises and posts them."""

from collections.abc import Sequence
from dataclasses import replace

from orchestration.health.alerts import Alert
from orchestration.storage.alert_ports import AlertPost, PostOutcome
from orchestration.storage.pool import Connection, Pool, database
from orchestration.storage.postgres_alerts import (
    ALERT_COLUMNS,
    CHANGE_COLUMNS,
    alert_from,
    change_from,
    moment,
)
from orchestration.storage.stored_text import storable_text

ALERTS_KEPT = 10_000
ALERTS_KEPT_DAYS = 90
"""Cleared alerts beyond either are removed, the oldest first."""

POSTS_WAITING = 1000
"""Posts that wait for one webhook; beyond, the oldest are dropped."""

OPEN = f"SELECT {ALERT_COLUMNS} FROM bot_sessions.alerts WHERE cleared_at IS NULL"
OPEN_ONE = f"{OPEN} AND code = $1 AND subject = $2"

RAISE = f"""
INSERT INTO bot_sessions.alerts (code, severity, subject, message, value, occurrence, raised_at)
SELECT $1, $2, $3, $4, $5, 1 + coalesce(max(occurrence), 0), $6
FROM bot_sessions.alerts WHERE code = $1 AND subject = $3
ON CONFLICT (code, subject) WHERE cleared_at IS NULL DO NOTHING
RETURNING {ALERT_COLUMNS}
"""

CLEAR = f"""
UPDATE bot_sessions.alerts SET cleared_at = greatest($3, raised_at)
WHERE code = $1 AND subject = $2 AND cleared_at IS NULL RETURNING {ALERT_COLUMNS}
"""

ADD_CHANGE = """
INSERT INTO bot_sessions.alert_changes (alert_id, change, changed_at) VALUES ($1, $2, $3)
RETURNING change_id
"""

ADD_POSTS = """
INSERT INTO bot_sessions.alert_posts (change_id, webhook, due_at)
SELECT $1, webhook, $3 FROM unnest($2::text[]) AS webhook
"""

DROP_POSTS = """
UPDATE bot_sessions.alert_posts SET outcome = 'dropped'
WHERE outcome IS NULL AND (change_id, webhook) IN (
    SELECT change_id, webhook FROM (
        SELECT change_id, webhook,
            row_number() OVER (PARTITION BY webhook ORDER BY change_id DESC) AS place
        FROM bot_sessions.alert_posts WHERE outcome IS NULL) waiting
    WHERE place > $1 OR NOT webhook = ANY ($2))
"""

# Whoever claims a post has it for the lease: a second poster takes none of them, and one that
# dies loses none. A webhook gets its changes in order as long as none fails.
CLAIM = f"""
WITH claimed AS (
    UPDATE bot_sessions.alert_posts SET tries = tries + 1, due_at = $2 + $3::interval
    WHERE (change_id, webhook) IN (
        SELECT change_id, webhook FROM bot_sessions.alert_posts
        WHERE outcome IS NULL AND webhook = $1 AND due_at <= $2
        ORDER BY change_id LIMIT $4 FOR UPDATE SKIP LOCKED)
    RETURNING change_id, webhook, tries)
SELECT claimed.webhook, claimed.tries, {CHANGE_COLUMNS}
FROM claimed JOIN bot_sessions.alert_changes c USING (change_id)
JOIN bot_sessions.alerts a USING (alert_id) ORDER BY c.change_id
"""

SETTLE = """
UPDATE bot_sessions.alert_posts SET outcome = $3, due_at = $4 WHERE change_id = $1 AND webhook = $2
"""

FORGET = """
DELETE FROM bot_sessions.alerts WHERE cleared_at IS NOT NULL AND (cleared_at < $1 OR alert_id <= (
    SELECT alert_id FROM bot_sessions.alerts ORDER BY alert_id DESC OFFSET $2 LIMIT 1))
"""

WAITING = "SELECT count(*) FROM bot_sessions.alert_posts WHERE outcome IS NULL"


class PostgresAlertDesk:
    """Stores each change once, with its posts, in one transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open_alerts(self) -> Sequence[Alert]:
        """What holds, by what is stored."""
        async with database(self._pool) as connection:
            return [alert_from(row) for row in await connection.fetch(OPEN)]

    async def record(self, alert: Alert, webhooks: Sequence[str]) -> Alert:
        """Store that an alert was raised or cleared, and that each webhook is to be told.

        What is stored already stays as it is, and nobody is told again.
        """
        async with database(self._pool) as connection, connection.transaction():
            return await self._record(connection, alert, webhooks)

    async def claim_posts(
        self, webhook: str, now_unix_ms: int, lease_ms: int, limit: int
    ) -> Sequence[AlertPost]:
        """Posts that are due, in order; nobody else gets them before the lease is over."""
        lease = moment(now_unix_ms + lease_ms) - moment(now_unix_ms)
        async with database(self._pool) as connection:
            rows = await connection.fetch(CLAIM, webhook, moment(now_unix_ms), lease, limit)
        return [AlertPost(change_from(row), row["webhook"], row["tries"]) for row in rows]

    async def settle_post(
        self, post: AlertPost, outcome: PostOutcome | None, due_unix_ms: int
    ) -> None:
        """What became of a post; without an outcome it is due again."""
        async with database(self._pool) as connection:
            await connection.execute(
                SETTLE, post.change.number, post.webhook, outcome, moment(due_unix_ms)
            )

    async def drop_posts(self, webhooks: Sequence[str]) -> int:
        """Drop what waits beyond `POSTS_WAITING`, or for nobody any more; returns how many."""
        async with database(self._pool) as connection:
            done = await connection.execute(DROP_POSTS, POSTS_WAITING, list(webhooks))
        return int(done.rpartition(" ")[2])

    async def waiting_posts(self) -> int:
        """Posts that have no outcome yet."""
        async with database(self._pool) as connection:
            return int(await connection.fetchval(WAITING))

    async def forget(self, now_unix_ms: int) -> int:
        """Remove cleared alerts beyond what is kept; returns how many."""
        before = moment(now_unix_ms - ALERTS_KEPT_DAYS * 86_400_000)
        async with database(self._pool) as connection:
            done = await connection.execute(FORGET, before, ALERTS_KEPT)
        return int(done.rpartition(" ")[2])

    async def _record(self, connection: Connection, alert: Alert, webhooks: Sequence[str]) -> Alert:
        code, subject = alert.code, storable_text(alert.subject)
        cleared = alert.cleared_unix_ms
        if cleared is None:
            raised_at, text = moment(alert.raised_unix_ms), storable_text(alert.message)
            row = await connection.fetchrow(
                RAISE, code, alert.level, subject, text, alert.value, raised_at
            )
        else:
            row = await connection.fetchrow(CLEAR, code, subject, moment(cleared))
        if row is None:
            return await self._known(connection, alert)
        stored = alert_from(row)
        at = moment(alert.raised_unix_ms if cleared is None else cleared)
        kind = "raised" if cleared is None else "cleared"
        number = await connection.fetchval(ADD_CHANGE, stored.alert_id, kind, at)
        await connection.execute(ADD_POSTS, number, list(webhooks), at)
        return replace(alert, alert_id=stored.alert_id, occurrence=stored.occurrence)

    async def _known(self, connection: Connection, alert: Alert) -> Alert:
        """An alert whose change was stored before, with its number if it still holds."""
        row = await connection.fetchrow(OPEN_ONE, alert.code, storable_text(alert.subject))
        if row is None or alert.cleared_unix_ms is not None:
            return alert
        return replace(alert, alert_id=row["alert_id"], occurrence=row["occurrence"])
