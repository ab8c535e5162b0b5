"""Alerts judged, kept, and posted: what the health monitor does with its figures."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import aiohttp
import structlog

from orchestration.config.models import WebhookSettings
from orchestration.errors import OrchestrationError, Unavailable
from orchestration.health.alerts import Alert, AlertBook, Figure
from orchestration.process_clock import unix_time_ms
from orchestration.services.webhooks import WebhookPoster
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_alert_desk import POSTS_WAITING, PostgresAlertDesk

CHANGES_WAITING = 1000
"""Changes that wait for a database that is away; beyond, the oldest are not stored."""

POST_INTERVAL_S = 1.0
POST_PAUSE_S = 10.0
"""How often posts that are due are looked for; the pause is for when that fails."""

CLEAN_INTERVAL_MS = 3_600_000
"""How often old alerts are removed, and posts dropped that nobody waits for."""

log = structlog.get_logger(__name__)


class AlertDesk:
    """The one who raises, stores and posts alerts.

    Raised is what the figures say, with or without the database; stored and posted is what the
    database took, later if need be. After a restart what held is taken over from there.
    """

    def __init__(
        self,
        pool: Pool,
        webhooks: Sequence[WebhookSettings] = (),
        clock_unix_ms: Callable[[], int] = unix_time_ms,
    ) -> None:
        self._store = PostgresAlertDesk(pool)
        self._poster = WebhookPoster(webhooks, self._store)
        self._clock_unix_ms = clock_unix_ms
        self._waiting: deque[Alert] = deque(maxlen=CHANGES_WAITING)
        self._waiting_posts = 0
        self._is_restored = False
        self._clean_at_unix_ms = 0

    def figures(self) -> dict[str, int]:
        """How storing and posting goes, since the start."""
        counts = self._poster.counts
        return {
            "alert_changes_waiting": len(self._waiting),
            "alert_posts_waiting": self._waiting_posts,
            "alert_posts_delivered": counts.delivered,
            "alert_posts_failed": counts.failed_tries,
            "alert_posts_given_up": counts.given_up,
            "alert_posts_dropped": counts.dropped,
        }

    async def observe(self, book: AlertBook, figures: Iterable[Figure]) -> Sequence[Alert]:
        """Judge figures, and store what changed as soon as the database takes it."""
        now_unix_ms = self._clock_unix_ms()
        changes = book.observe(figures, now_unix_ms)
        self._waiting.extend(changes)
        try:
            await self._store_waiting(book, now_unix_ms)
        except OrchestrationError as error:
            log.warning("alerts_not_stored", waiting=len(self._waiting), reason=error.message)
        return changes

    async def _store_waiting(self, book: AlertBook, now_unix_ms: int) -> None:
        if not self._is_restored:
            book.restore(await self._store.open_alerts(), now_unix_ms)
            self._is_restored = True
        while self._waiting:
            # It leaves the queue once it is stored: a repeat changes nothing.
            alert = self._waiting[0]
            try:
                stored = await self._store.record(alert, self._poster.keys)
            except Unavailable:
                raise
            except OrchestrationError as error:
                # One that the database will never take must not hold up those behind it.
                log.error("alert_not_stored", code=alert.code, reason=error.message)
                stored = alert
            self._waiting.popleft()
            if stored.cleared_unix_ms is None:
                book.stored(stored)
        self._waiting_posts = await self._store.waiting_posts()
        if self._clean_at_unix_ms <= now_unix_ms or self._waiting_posts > POSTS_WAITING:
            await self._clean(now_unix_ms)

    async def _clean(self, now_unix_ms: int) -> None:
        self._clean_at_unix_ms = now_unix_ms + CLEAN_INTERVAL_MS
        await self._store.forget(now_unix_ms)
        self._poster.counts.dropped += await self._store.drop_posts(self._poster.keys)

    async def post(self) -> int:
        """Post what is due, to all webhooks at once; returns how many posts were tried."""
        async with aiohttp.ClientSession() as client:
            now_unix_ms = self._clock_unix_ms()
            tried = await asyncio.gather(
                *(self._poster.post_due(client, key, now_unix_ms) for key in self._poster.keys)
            )
        return sum(tried)

    async def keep_posting(self) -> None:
        """Post what is due, until cancelled."""
        while self._poster.keys:
            pause_s = POST_INTERVAL_S
            try:
                await self.post()
            except OrchestrationError as error:
                pause_s = POST_PAUSE_S
                log.warning("alerts_not_posted", reason=error.message)
            except Exception:
                pause_s = POST_PAUSE_S
                log.exception("alerts_not_posted")
            await asyncio.sleep(pause_s)
