"""Posting changes of alerts to webhooks: signed, one at a time, tried again later."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import structlog
from yarl import URL

from orchestration.config.models import WebhookSettings
from orchestration.health.alert_json import alert_json
from orchestration.health.signatures import signed_headers
from orchestration.session.events import iso_utc
from orchestration.storage.alert_ports import AlertChange, AlertPost
from orchestration.storage.postgres_alert_desk import PostgresAlertDesk

POST_TIMEOUT_S = 10.0
"""A webhook that has not answered by then has failed."""

LEASE_MS = 60_000
POSTS_AT_ONCE = 4
"""Posts to one webhook that are claimed together: they end within the lease, one after another."""

RETRY_FIRST_MS = 5_000
RETRY_MOST_MS = 3_600_000
MOST_TRIES = 16
"""After a failed try the next waits 5 s, doubling up to an hour; after the last one, nine hours
later, the post is given up."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class PostCounts:
    """What became of posts since the start."""

    delivered: int = 0
    failed_tries: int = 0
    given_up: int = 0
    dropped: int = 0


class Webhook:
    """One receiver. Redirects are not followed: they would take the post to somebody else."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._url = URL(settings.url)
        self._secret = settings.secret
        self.key = hashlib.sha256(settings.url.encode()).hexdigest()[:16]
        """Its name where it is stored: addresses of webhooks may be secrets."""

    @property
    def host(self) -> str:
        """For logs."""
        return self._url.host or ""

    async def post(
        self, client: aiohttp.ClientSession, change: AlertChange, now_unix_s: int
    ) -> str | None:
        """Post a change; returns why that failed, None when it was taken."""
        body = json.dumps(change_json(change), ensure_ascii=False, separators=(",", ":")).encode()
        headers = signed_headers(self._secret, f"alert-{change.number}", now_unix_s, body)
        try:
            async with client.post(
                self._url,
                data=body,
                headers={**headers, "Content-Type": "application/json"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S),
            ) as response:
                return None if 200 <= response.status < 300 else f"answered {response.status}"
        except TimeoutError:
            return f"no answer within {POST_TIMEOUT_S:g} s"
        except (aiohttp.ClientError, ValueError, OSError) as error:
            # Its text may carry the address.
            return type(error).__name__


class WebhookPoster:
    """Posts what is due to each webhook. At least once: a post cut short is posted again, under
    the same id."""

    def __init__(self, webhooks: Sequence[WebhookSettings], desk: PostgresAlertDesk) -> None:
        self._webhooks = [Webhook(one) for one in webhooks]
        self._desk = desk
        self.counts = PostCounts()

    @property
    def keys(self) -> list[str]:
        """What posts are stored for."""
        return [one.key for one in self._webhooks]

    async def post_due(self, client: aiohttp.ClientSession, webhook: str, now_unix_ms: int) -> int:
        """Post what is due to one webhook by now; returns how many posts were tried."""
        (receiver,) = [one for one in self._webhooks if one.key == webhook]
        posts = await self._desk.claim_posts(webhook, now_unix_ms, LEASE_MS, POSTS_AT_ONCE)
        for post in posts:
            reason = await receiver.post(client, post.change, now_unix_ms // 1000)
            await self._settle(post, receiver, reason, now_unix_ms)
        return len(posts)

    async def _settle(
        self, post: AlertPost, receiver: Webhook, reason: str | None, now_unix_ms: int
    ) -> None:
        if reason is None:
            self.counts.delivered += 1
            await self._desk.settle_post(post, "delivered", now_unix_ms)
            return
        self.counts.failed_tries += 1
        is_last = post.tries >= MOST_TRIES
        self.counts.given_up += is_last
        log.warning(
            "alert_post_failed",
            host=receiver.host,
            change=post.change.number,
            tries=post.tries,
            reason=reason,
            given_up=is_last,
        )
        due_unix_ms = now_unix_ms + retry_ms(post.tries)
        await self._desk.settle_post(post, "given_up" if is_last else None, due_unix_ms)


def retry_ms(tries: int) -> int:
    """How long the next try waits after so many."""
    doubled_ms: int = RETRY_FIRST_MS * 2 ** (tries - 1)
    return min(RETRY_MOST_MS, doubled_ms)


def change_json(change: AlertChange) -> dict[str, object]:
    """What is posted: a type, when it happened, and the alert."""
    return {
        "type": f"alert.{change.kind}",
        "timestamp": iso_utc(change.unix_ms),
        "data": alert_json(change.alert),
    }
