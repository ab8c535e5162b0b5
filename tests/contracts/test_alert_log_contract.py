"""Alerts as they are stored and read, in PostgreSQL and in memory."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from orchestration.health.alerts import Alert
from orchestration.storage.alert_ports import AlertChange, AlertLog
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_alert_desk import PostgresAlertDesk
from orchestration.storage.postgres_alerts import PostgresAlertLog
from tests.database import execute
from tests.doubles.in_memory_alerts import InMemoryAlertLog

FULL = Alert("disk_full", "critical", "machine", "Disk: 97 %.", 97, 1_700_000_000_123)
SLOW = Alert("part_slow", "warning", "whisper", "whisper takes 1200 ms.", 1200, 1_700_000_001_000)

Told = tuple[AlertLog, Callable[[Alert], Awaitable[None]]]


@pytest.fixture(params=["postgres", "memory"])
async def told(request: pytest.FixtureRequest, pool: Pool, dsn: str) -> Told:
    """A log, and how it is told of an alert."""
    if request.param == "postgres":
        await execute(dsn, "TRUNCATE bot_sessions.alerts CASCADE")
        desk = PostgresAlertDesk(pool)

        async def record(alert: Alert) -> None:
            await desk.record(alert, [])

        return PostgresAlertLog(pool), record
    log = InMemoryAlertLog()
    known: dict[tuple[str, str], int] = {}

    async def remember(alert: Alert) -> None:
        cleared = alert.cleared_unix_ms
        key = (alert.code, alert.subject)
        number = known.setdefault(key, len(known) + 1)
        stored = replace(alert, alert_id=number)
        at, number = cleared or alert.raised_unix_ms, len(log.changes) + 1
        log.changes.append(
            AlertChange(number, "raised" if cleared is None else "cleared", at, stored)
        )

    return log, remember


async def test_what_is_told_comes_back_in_order(told: Told) -> None:
    log, tell = told
    begin = await log.last_alert_change()
    for alert in (FULL, SLOW, replace(FULL, cleared_unix_ms=1_700_000_009_000)):
        await tell(alert)

    changes = await log.alert_changes(begin, 10)

    assert [(one.kind, one.alert.code) for one in changes] == [
        ("raised", "disk_full"),
        ("raised", "part_slow"),
        ("cleared", "disk_full"),
    ]
    assert [one.alert.cleared_unix_ms for one in changes] == [None, None, 1_700_000_009_000]
    assert [one.unix_ms for one in changes] == [
        1_700_000_000_123,
        1_700_000_001_000,
        1_700_000_009_000,
    ]
    assert changes[-1].number == await log.last_alert_change()
    assert await log.alert_changes(changes[1].number, 10) == [changes[2]]


async def test_pages_go_back_from_the_newest_and_open_ones_can_be_had_alone(told: Told) -> None:
    log, tell = told
    for number in range(5):
        await tell(replace(SLOW, subject=f"s{number}", raised_unix_ms=1_700_000_000_000 + number))
    await tell(replace(SLOW, subject="s3", cleared_unix_ms=1_700_000_010_000))

    first, before = await log.alerts_page("all", None, 3)
    second, end = await log.alerts_page("all", before, 3)
    held, _ = await log.alerts_page("open", None, 10)

    assert [one.subject for one in (*first, *second)] == ["s4", "s3", "s2", "s1", "s0"]
    assert end is None
    assert [one.subject for one in held] == ["s4", "s2", "s1", "s0"]
