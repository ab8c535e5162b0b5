"""Alerts on their way from figures to webhooks, over PostgreSQL and real HTTP receivers."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from orchestration.config.models import WebhookSettings
from orchestration.health.alerts import AlertBook, Figure
from orchestration.services.alert_desk import AlertDesk
from orchestration.services.webhooks import LEASE_MS, MOST_TRIES, RETRY_FIRST_MS, retry_ms
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from tests.database import execute, migrated_pool, temporary_database

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four!").decode()
DISK = Figure("disk_percent", "machine", 97)
ENDED_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'away'"
NO_DISK = Figure("disk_percent", "machine", 10)


@dataclass
class Receiver:
    """A webhook: what it got, and what it answers next."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    redirected: int = 0
    url: str = ""

    async def hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        message_id = request.headers["webhook-id"]
        signed = f"{message_id}.{request.headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(b"a secret of twenty-four!", signed, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(digest).decode()
        assert hmac.compare_digest(request.headers["webhook-signature"], expected)
        self.got.append((message_id, json.loads(body)))
        status = self.answers.pop(0) if self.answers else 204
        headers = {"Location": "/elsewhere"} if status == 307 else {}
        return web.Response(status=status, headers=headers)

    async def elsewhere(self, _: web.Request) -> web.Response:
        self.redirected += 1
        return web.Response()


@asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers))
    app = web.Application()
    app.router.add_post("/hook", receiver.hook)
    app.router.add_post("/elsewhere", receiver.elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


class Clock:
    """Unix milliseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
async def pool(server_dsn: str) -> AsyncIterator[Pool]:
    async with migrated_pool(server_dsn, "alerts") as (_, opened):
        yield opened


def desk_of(pool: Pool, clock: Clock, *receivers: Receiver) -> AlertDesk:
    webhooks = [WebhookSettings(url=one.url, secret=SECRET) for one in receivers]
    return AlertDesk(pool, webhooks, clock)


async def test_a_webhook_that_fails_first_is_told_later_and_once(pool: Pool) -> None:
    clock = Clock()
    async with receiving(500, 307) as receiver:
        desk = desk_of(pool, clock, receiver)
        await desk.observe(AlertBook(), [DISK])
        assert await desk.post() == 2  # Both rules of the disk.
        assert await desk.post() == 0
        clock.now_ms += RETRY_FIRST_MS
        assert await desk.post() == 2
        clock.now_ms += 10 * LEASE_MS
        assert await desk.post() == 0

    tried = [message_id for message_id, _ in receiver.got]
    assert (len(tried), len(set(tried)), receiver.redirected) == (4, 2, 0)
    assert {body["type"] for _, body in receiver.got} == {"alert.raised"}
    assert {body["data"]["code"] for _, body in receiver.got} == {"disk_high", "disk_full"}
    figures = desk.figures()
    assert (figures["alert_posts_delivered"], figures["alert_posts_failed"]) == (2, 2)


async def test_each_webhook_gets_every_change_in_order_whatever_another_does(pool: Pool) -> None:
    clock = Clock()
    async with receiving() as good, receiving(*[503] * 20) as bad:
        desk, book = desk_of(pool, clock, good, bad), AlertBook()
        await desk.observe(book, [DISK])
        clock.now_ms += 1000
        await desk.observe(book, [NO_DISK])
        await desk.post()

    kinds = [body["type"] for _, body in good.got]
    assert kinds == ["alert.raised"] * 2 + ["alert.cleared"] * 2
    assert [int(message_id.removeprefix("alert-")) for message_id, _ in good.got] == [1, 2, 3, 4]
    assert len(bad.got) == 4


async def test_nothing_is_lost_when_the_poster_restarts(pool: Pool) -> None:
    clock = Clock()
    async with receiving() as receiver:
        await desk_of(pool, clock, receiver).observe(AlertBook(), [DISK])

        restarted, book = desk_of(pool, clock, receiver), AlertBook()
        await restarted.observe(book, [DISK])
        await restarted.post()
        clock.now_ms += 1000
        await restarted.observe(book, [NO_DISK])
        await restarted.post()

    kinds = [body["type"] for _, body in receiver.got]
    assert kinds == ["alert.raised"] * 2 + ["alert.cleared"] * 2
    raised, cleared = receiver.got[0][1]["data"], receiver.got[2][1]["data"]
    assert raised["id"] == cleared["id"]


async def test_two_posters_post_nothing_twice(pool: Pool) -> None:
    clock = Clock()
    async with receiving() as receiver:
        one, other = desk_of(pool, clock, receiver), desk_of(pool, clock, receiver)
        await one.observe(AlertBook(), [DISK])
        await other.observe(AlertBook(), [DISK])
        await one.post()
        await other.post()
    assert len(receiver.got) == 2


async def test_a_webhook_that_never_answers_is_given_up(pool: Pool) -> None:
    clock = Clock()
    async with receiving(*[500] * 2 * MOST_TRIES) as receiver:
        desk = desk_of(pool, clock, receiver)
        await desk.observe(AlertBook(), [DISK])
        for tries in range(1, MOST_TRIES + 1):
            await desk.post()
            clock.now_ms += retry_ms(tries)
        assert await desk.post() == 0
    assert desk.figures()["alert_posts_given_up"] == 2


async def test_an_unreachable_webhook_costs_nobody_anything_but_tries(pool: Pool) -> None:
    clock = Clock()
    nobody = Receiver(url="http://127.0.0.1:9/hook")
    async with receiving() as receiver:
        desk = desk_of(pool, clock, receiver, nobody)
        await desk.observe(AlertBook(), [DISK])
        await desk.post()
    assert len(receiver.got) == 2
    assert desk.figures()["alert_posts_failed"] == 2


async def test_what_was_told_while_the_database_was_away_is_stored_and_posted_later(
    server_dsn: str,
) -> None:
    clock = Clock()
    async with temporary_database(server_dsn, "away") as dsn, receiving() as receiver:
        await migrate(dsn, connect_timeout_s=10)
        pool = await connect_pool(dsn, min_size=0, max_size=2, connect_timeout_s=10)
        desk, book = desk_of(pool, clock, receiver), AlertBook()
        await execute(server_dsn, ENDED_CONNECTIONS)
        await execute(server_dsn, "ALTER DATABASE away RENAME TO hidden")
        raised = await desk.observe(book, [DISK])
        clock.now_ms += 1000
        cleared = await desk.observe(book, [NO_DISK])
        waiting = desk.figures()["alert_changes_waiting"]
        await execute(server_dsn, "ALTER DATABASE hidden RENAME TO away")
        await desk.observe(book, [NO_DISK])
        await desk.post()
        await pool.close()

    assert (len(raised), len(cleared), waiting) == (2, 2, 4)
    kinds = [body["type"] for _, body in receiver.got]
    assert kinds == ["alert.raised"] * 2 + ["alert.cleared"] * 2
