"""Alerts as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from orchestration.api import alert_stream
from orchestration.health.alerts import Alert
from orchestration.storage.alert_ports import AlertChange
from tests.doubles.api_server import ApiServer, api_server

FULL = Alert("disk_full", "critical", "machine", "Disk: 97 %.", 97, 1000, None, 1)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    monkeypatch.setattr(alert_stream, "LOOK_INTERVAL_S", 0.02)
    async with api_server(tmp_path) as running:
        yield running


def change(number: int) -> AlertChange:
    """Odd ones raise an alert, even ones clear it."""
    alert = FULL if number % 2 else replace(FULL, cleared_unix_ms=2000)
    return AlertChange(number, "raised" if number % 2 else "cleared", 1000, alert)


async def events(answer: aiohttp.ClientResponse, wanted: int) -> list[dict[str, str]]:
    """The next events, as their fields."""
    found: list[dict[str, str]] = []
    async with asyncio.timeout(60):
        while len(found) < wanted:
            block = await answer.content.readuntil(b"\n\n")
            fields = dict(line.split(": ", 1) for line in block.decode().strip().split("\n"))
            if "event" in fields:
                found.append(fields)
    return found


async def test_a_stream_tells_what_comes_and_nothing_that_was(server: ApiServer) -> None:
    server.archive.changes.append(change(1))
    async with server.client.get(f"{server.url}/api/alerts/stream") as answer:
        assert answer.content_type == "text/event-stream"
        server.archive.changes += [change(2), change(3)]
        told = await events(answer, 2)

    assert [(one["id"], one["event"]) for one in told] == [("2", "cleared"), ("3", "raised")]
    assert '"code":"disk_full"' in told[1]["data"]


@pytest.mark.parametrize("way", ["header", "query"])
async def test_whoever_comes_back_misses_nothing(server: ApiServer, way: str) -> None:
    server.archive.changes += [change(number) for number in range(1, 301)]
    query = "?after=10" if way == "query" else ""
    headers = {"Last-Event-ID": "10"} if way == "header" else {}
    url = f"{server.url}/api/alerts/stream{query}"
    async with server.client.get(url, headers=headers) as answer:
        told = await events(answer, 290)
    assert [int(one["id"]) for one in told] == list(range(11, 301))


async def test_a_stream_says_where_it_begins_before_anything_comes(server: ApiServer) -> None:
    server.archive.changes.append(change(1))
    async with server.client.get(f"{server.url}/api/alerts/stream") as answer:
        first = await answer.content.readuntil(b"\n\n")
    assert b"\nid: 1\n" in first


async def test_what_is_no_number_is_refused(server: ApiServer) -> None:
    headers = {"Last-Event-ID": "ten"}
    status, body = await server.json("GET", "/api/alerts/stream", headers=headers)
    assert (status, body["code"]) == (400, "bad_request")


async def test_one_stream_too_many_is_refused_however_many_come_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_stream, "MAX_STREAMS", 1)
    async with api_server(tmp_path) as server:
        url = f"{server.url}/api/alerts/stream"
        streams = await asyncio.gather(*(server.client.get(url) for _ in range(5)))
        assert sorted(one.status for one in streams) == [200, 429, 429, 429, 429]
        problem = await next(one for one in streams if one.status == 429).json()
        assert problem["limit"] == "max_streams"
        for one in streams:
            one.close()
