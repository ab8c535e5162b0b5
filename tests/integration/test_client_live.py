from pathlib import Path
from typing import Any

import pytest

from orchestration.audio.pcm import PcmFormat
from orchestration.client import live
from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.live import LiveWatcher, watch
from orchestration.errors import ServiceUnreachable, TakenOver, UnknownSession
from orchestration.session.inputs import StreamSpec
from tests.doubles.api_server import api_server
from tests.doubles.unreliable_service import unreliable_service


def status(seq: int, name: str = "active") -> dict[str, Any]:
    return {"type": "status", "seq": seq, "status": name, "detail": None}


LAG = {"type": "lag", "seconds": 1.5}
SNAPSHOT = {"type": "snapshot", "seq": 3, "session": {}, "segments": [], "truncated": False}


async def test_each_durable_event_comes_once_over_lost_connections_and_holes() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.live_parts = [
            ([SNAPSHOT, status(4), LAG], 1012),
            # A resend of what is known, then a hole: neither may reach the reader.
            ([{"type": "resumed", "after": 4, "seq": 5}, status(4), status(5), status(7)], 1012),
            ([{"type": "resumed", "after": 5, "seq": 8}, status(6), status(7)], 1013),
            ([{"type": "resumed", "after": 7, "seq": 8}, status(8, "completed")], 1000),
        ]
        watcher = LiveWatcher(client, "s1", uniform=lambda: 0.0)
        seen = [message async for message in watcher.messages()]
    assert [one["seq"] for one in seen if "seq" in one] == [3, 4, 5, 6, 7, 8]
    assert LAG in seen
    assert service.live_queries == [None, "4", "5", "7"]


def line(state: str, stream: int, number: int) -> dict[str, Any]:
    segment = {"segment_id": f"s1:{stream}:{number}", "stream": stream, "state": state}
    return {"type": "segment", "segment": segment}


async def test_what_was_pending_when_a_connection_was_lost_is_retracted() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        pending = [line("pending", stream, 0) for stream in range(3)]
        final, changed = line("final", 1, 0) | {"seq": 4}, line("pending", 2, 1)
        resumed = {"type": "resumed", "after": 4, "seq": 5}
        service.live_parts = [
            ([SNAPSHOT, *pending, final, changed], 1012),
            ([resumed, status(5)], 1012),
            ([{**resumed, "after": 5}, status(6, "completed")], 1000),
        ]
        watcher = LiveWatcher(client, "s1", uniform=lambda: 0.0)
        seen = [message async for message in watcher.messages()]
    retracted = [{"type": "retract", "segment_id": one} for one in ("s1:0:0", "s1:2:1")]
    assert seen[6:] == [*retracted, status(5), status(6, "completed")]


async def test_watching_after_an_event_resumes_behind_it() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.live_parts = [([status(8), status(9, "completed")], 1000)]
        seen = [message["seq"] async for message in watch(client, "s1", after=7)]
    assert seen == [8, 9]
    assert service.live_queries == ["7"]


async def test_a_new_snapshot_starts_the_count_anew() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.live_parts = [
            ([SNAPSHOT], 1012),
            ([{**SNAPSHOT, "seq": 90}, status(91, "completed")], 1000),
        ]
        watcher = LiveWatcher(client, "s1", uniform=lambda: 0.0)
        seen = [message["seq"] async for message in watcher.messages()]
    assert seen == [3, 90, 91]


async def test_a_close_that_a_reconnect_cannot_mend_is_raised() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.live_parts = [([SNAPSHOT], 4103)]
        with pytest.raises(TakenOver):
            _ = [message async for message in watch(client, "s1")]


async def test_a_session_that_there_is_not_is_named() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.live_parts = [([], 4004)]
        with pytest.raises(UnknownSession, match="There is no session 'nobody'"):
            await anext(watch(client, "nobody"))


async def test_a_session_whose_sockets_are_refused_is_named(tmp_path: Path) -> None:
    spec = StreamSpec(0, PcmFormat("s16le", 16_000, 1))
    async with api_server(tmp_path) as server, OrchestrationClient(server.url) as client:
        with pytest.raises(UnknownSession, match="There is no session 'nobody'"):
            await anext(watch(client, "nobody"))
        async with BotConnection(client, "nobody", [spec]) as bot:
            with pytest.raises(UnknownSession, match="There is no session 'nobody'"):
                await bot.end()


@pytest.mark.parametrize("last", [[], ["no JSON"]], ids=["silence", "what is no message"])
async def test_a_connection_that_the_viewer_gives_up_is_no_end_of_the_session(
    monkeypatch: pytest.MonkeyPatch, last: list[str]
) -> None:
    monkeypatch.setattr(live, "SILENCE_LIMIT_S", 0.05)
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.live_parts = [
            # The service echoes the viewer's close, with the code of a session that is over.
            ([SNAPSHOT, *last], None),
            ([{"type": "resumed", "after": 3, "seq": 4}, status(4, "completed")], 1000),
        ]
        watcher = LiveWatcher(client, "s1", uniform=lambda: 0.0)
        seen = [message["seq"] async for message in watcher.messages()]
    assert seen == [3, 4]


async def test_a_service_that_was_never_there_is_said() -> None:
    async with OrchestrationClient("http://127.0.0.1:1") as client:
        with pytest.raises(ServiceUnreachable):
            _ = [message async for message in LiveWatcher(client, "s1").messages()]


async def test_a_service_that_never_says_anything_is_not_waited_for_for_ever() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.live_parts = [([], 1012)] * live.UNREACHABLE_TRIES
        watcher = LiveWatcher(client, "s1", uniform=lambda: 0.0)
        with pytest.raises(ServiceUnreachable):
            _ = [message async for message in watcher.messages()]
    assert len(service.live_queries) == live.UNREACHABLE_TRIES
