"""Alerts stored once each, with their posts, in PostgreSQL."""

from dataclasses import replace

import pytest

from orchestration.health.alerts import Alert
from orchestration.storage import postgres_alert_desk
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_alert_desk import ALERTS_KEPT_DAYS, PostgresAlertDesk
from orchestration.storage.postgres_alerts import PostgresAlertLog
from tests.database import execute

RAISED_MS = 1_700_000_000_000
FULL = Alert("disk_full", "critical", "machine", "Disk: 97 %.", 97, RAISED_MS)
CLEARED = replace(FULL, cleared_unix_ms=RAISED_MS + 5000)


@pytest.fixture
async def desk(pool: Pool, dsn: str) -> PostgresAlertDesk:
    await execute(dsn, "TRUNCATE bot_sessions.alerts CASCADE")
    return PostgresAlertDesk(pool)


async def test_what_is_stored_twice_is_told_once(desk: PostgresAlertDesk, pool: Pool) -> None:
    first = await desk.record(FULL, ["hook"])
    again = await desk.record(FULL, ["hook"])
    assert first == again
    await desk.record(CLEARED, ["hook"])
    await desk.record(CLEARED, ["hook"])

    posts = await desk.claim_posts("hook", RAISED_MS + 6000, 60_000, 10)

    assert [(one.change.kind, one.tries) for one in posts] == [("raised", 1), ("cleared", 1)]
    assert await desk.open_alerts() == []


async def test_an_alert_that_comes_again_counts_its_times(desk: PostgresAlertDesk) -> None:
    occurrences = []
    for number in range(3):
        raised = await desk.record(replace(FULL, raised_unix_ms=RAISED_MS + number), [])
        occurrences.append(raised.occurrence)
        await desk.record(CLEARED, [])
    assert occurrences == [1, 2, 3]


async def test_a_claimed_post_is_nobody_elses_until_its_lease_is_over(
    desk: PostgresAlertDesk,
) -> None:
    await desk.record(FULL, ["a", "b"])
    now = RAISED_MS + 1
    (post,) = await desk.claim_posts("a", now, 60_000, 10)
    assert await desk.claim_posts("a", now + 59_999, 60_000, 10) == []
    (other,) = await desk.claim_posts("b", now, 60_000, 10)

    (again,) = await desk.claim_posts("a", now + 60_000, 60_000, 10)

    assert (post.tries, again.tries, other.tries) == (1, 2, 1)
    await desk.settle_post(again, "delivered", now)
    assert await desk.claim_posts("a", now + 10**9, 60_000, 10) == []
    assert await desk.waiting_posts() == 1


async def test_posts_beyond_the_limit_and_for_nobody_are_dropped_the_oldest_first(
    desk: PostgresAlertDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_alert_desk, "POSTS_WAITING", 2)
    for number in range(4):
        await desk.record(replace(FULL, subject=f"s{number}"), ["hook", "gone"])

    assert await desk.drop_posts(["hook"]) == 6

    posts = await desk.claim_posts("hook", RAISED_MS, 60_000, 10)
    assert [one.change.alert.subject for one in posts] == ["s2", "s3"]


async def test_only_old_and_cleared_alerts_are_removed(
    desk: PostgresAlertDesk, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for subject in ("a", "b", "c"):
        await desk.record(replace(FULL, subject=subject), [])
    await desk.record(replace(CLEARED, subject="a"), [])
    kept_until = RAISED_MS + 5000 + ALERTS_KEPT_DAYS * 86_400_000
    assert await desk.forget(kept_until) == 0
    assert await desk.forget(kept_until + 1) == 1

    await desk.record(replace(CLEARED, subject="b"), [])
    monkeypatch.setattr(postgres_alert_desk, "ALERTS_KEPT", 1)
    assert await desk.forget(RAISED_MS) == 1
    page, _ = await PostgresAlertLog(pool).alerts_page("all", None, 10)
    assert [one.subject for one in page] == ["c"]
