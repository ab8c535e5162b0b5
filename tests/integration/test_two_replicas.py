"""Two ingress replicas over one archive: clients may come to either."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from orchestration.api.roll_call import RollCall
from orchestration.audio.pcm import PcmFormat
from orchestration.errors import SessionEnded
from orchestration.json_types import JsonObject
from orchestration.session.inputs import StreamSpec
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import SessionSpec, StreamProgress, StreamRow
from tests.data.make_files import FORMATS, tone_file
from tests.doubles.api_server import ApiServer, served
from tests.doubles.in_memory_archive import InMemoryArchive
from tests.doubles.in_memory_sessions import InMemorySession, InMemorySessions
from tests.doubles.scripted_engines import ScriptedEngines
from tests.socket_io_client import connected

PCM = bytes(3200)


@dataclass
class Replicas:
    one: ApiServer
    other: ApiServer
    session: InMemorySession

    async def stats(self) -> list[JsonObject]:
        """Of both, once each knows of the other."""
        async with asyncio.timeout(60):
            while True:
                said = [
                    (await server.json("GET", "/api/websocket/stats"))[1]
                    for server in (self.one, self.other)
                ]
                if all(one["replicas_answering"] == 2 for one in said):
                    return said


async def uploaded(server: ApiServer, **fields: str) -> tuple[int, JsonObject]:
    form = aiohttp.FormData(fields)
    form.add_field("file", tone_file(FORMATS["flac"]), filename="tone.flac")
    headers = {"Prefer": "respond-async", "Idempotency-Key": '"key-1"'}
    return await server.json("POST", "/api/audio/upload", data=form, headers=headers)


async def finished(server: ApiServer, path: str) -> JsonObject:
    async with asyncio.timeout(60):
        while True:
            status, job = await server.json("GET", path)
            assert status == 200
            if job["status"] != "processing":
                return job


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[Replicas]:
    archive = InMemoryArchive()
    sessions, engines, place = InMemorySessions(archive), ScriptedEngines(), RollCall()
    server = {"ingress_replicas": 2, "websocket_max_connections": 2}
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    async with (
        served(folders[0], sessions, archive, engines, roll_call=place, server=server) as first,
        served(folders[1], sessions, archive, engines, roll_call=place, server=server) as second,
        aiohttp.ClientSession() as http,
    ):
        one, other = (ApiServer(host, archive, sessions, engines, http) for host in (first, second))
        await sessions.create(SessionSpec("s1"))
        yield Replicas(one, other, sessions.running["s1"])


async def test_either_replica_tells_the_connections_of_both(replicas: Replicas) -> None:
    async with (
        connected(replicas.one) as client,
        replicas.one.live("s1") as viewer,
        replicas.other.live("s1") as far_viewer,
    ):
        await client.message(type="join_session", session_id="s1")
        await viewer.receive_str()
        await far_viewer.receive_str()
        stats = await replicas.stats()
        lists = [
            (await server.json("GET", "/api/websocket/connections?session_id=s1&limit=2"))[1]
            for server in (replicas.one, replicas.other)
        ]
        _, metrics = await replicas.other.json("GET", "/api/metrics")

    for said in [*stats, metrics["websocket_stats"]]:
        assert isinstance(said, dict)
        assert said["active_connections"] == said["total_connections"] == 3
        assert said["connections_by_kind"] == {"socket_io": 1, "live": 2}
        assert (said["sessions"], said["addresses"], said["replicas"]) == (1, 1, 2)
    kinds = [[one["kind"] for one in body["connections"]] for body in lists]  # type: ignore
    assert kinds == [["socket_io", "live"]] * 2
    assert [body["total"] for body in lists] == [3, 3]


async def test_what_one_replica_takes_in_the_viewers_at_the_other_hear(replicas: Replicas) -> None:
    audio = {"session_id": "s1", "audio_data": PCM}
    async with connected(replicas.one) as sender, connected(replicas.other) as viewer:
        await viewer.message(type="join_session", session_id="s1")
        await sender.io.call("transcription_stream", {**audio, "sequence": 0})
        replicas.session.emit("alert", {"level": "info", "code": "x", "message": "1"})
        first = await viewer.next("alert")
    async with connected(replicas.other) as sender, connected(replicas.one) as viewer:
        repeated = await sender.io.call("transcription_stream", {**audio, "sequence": 0})
        stored = await sender.io.call("transcription_stream", {**audio, "sequence": 1})
        replicas.session.emit("alert", {"level": "info", "code": "x", "message": "2"})
        await viewer.message(type="join_session", session_id="s1", after=first["seq"])
        resumed = await viewer.next("resumed")
        second = await viewer.next("alert")

    assert (repeated["status"], stored["status"]) == ("repeated", "stored")
    assert [frame.seq for frame in replicas.session.stored.frames[0]] == [0, 1]
    assert (resumed["after"], second["message"]) == (first["seq"], "2")


async def test_a_file_that_one_replica_hears_the_other_tells_of_and_takes_no_second_time(
    replicas: Replicas,
) -> None:
    await replicas.stats()
    replicas.session.push_gate.clear()
    job = asyncio.create_task(uploaded(replicas.one, session_id="s1"))
    await replicas.session.push_came.wait()
    _, said = await job
    path = str(said["status_url"])
    here, there = [(await server.json("GET", path))[1] for server in (replicas.one, replicas.other)]
    assert here == there
    assert (there["status"], there["stage"], there["error"]) == ("processing", "decoding", None)
    _, again = await uploaded(replicas.other, session_id="s1")
    assert again["job_id"] == said["job_id"]
    replicas.session.push_gate.set()


async def test_a_file_that_fails_late_is_told_of_at_either_replica(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replicas.stats()
    replicas.session.push_gate.clear()
    _, said = await uploaded(replicas.one, session_id="s1")
    replicas.session.push_error = SessionEnded("Session s1 has ended.")
    replicas.session.push_gate.set()
    for server in (replicas.one, replicas.other):
        job = await finished(server, str(said["status_url"]))
        assert (job["status"], job["result"]) == ("failed", None)
        assert job["error"] == {
            "status": 409,
            "code": "session_ended",
            "detail": "Session s1 has ended.",
        }


@pytest.mark.parametrize(
    ("samples", "status", "stage"),
    [(0, "failed", "decoding"), (160_000, "failed", "decoding"), (163_200, "completed", "done")],
)
@pytest.mark.parametrize("is_given_up", [False, True])
async def test_a_file_whose_replica_was_killed_has_failed_unless_all_of_it_had_arrived(
    replicas: Replicas, samples: int, status: str, stage: str, is_given_up: bool
) -> None:
    await replicas.stats()
    stored = replicas.session.stored
    fmt = PcmFormat("s16le", 16_000, 1)
    heard = StreamProgress(3, 0, samples, samples, samples, 0, samples)
    frames = -(-samples // 16_000)
    stored.streams[3] = StreamRow(StreamSpec(3, fmt, None), frames, samples, None, heard)
    stored.uploads[3] = UploadRow("s1", 3, False, None)
    if is_given_up:
        stored.streams[3] = replace(stored.streams[3], last_seq=frames - 1)
        stored.set_status("completed")
    for server in (replicas.one, replicas.other):
        _, job = await server.json("GET", "/api/audio/jobs/s1.3")
        assert (job["status"], job["stage"]) == (status, stage)
        error = job["error"]
        if status == "failed":
            assert isinstance(error, dict)
            assert error["code"] == "unavailable"
            assert "send it again" in str(error["detail"])
        else:
            assert error is None


async def test_a_file_whose_replica_was_killed_before_its_stream_was_open_has_failed(
    replicas: Replicas,
) -> None:
    await replicas.stats()
    replicas.session.stored.uploads[0] = UploadRow("s1", 0, True, None)
    for server in (replicas.one, replicas.other):
        status, job = await server.json("GET", "/api/audio/jobs/s1.0")
        assert (status, job["status"], job["stage"]) == (200, "failed", "decoding")


@pytest.mark.parametrize(
    ("frames", "samples"), [(100, 160_000), (0, 0), (1, 1600), (10, 160_000), (1, 16_000)]
)
async def test_a_bots_stream_is_no_job_however_long_its_frames_are(
    replicas: Replicas, frames: int, samples: int
) -> None:
    await replicas.stats()
    fmt = PcmFormat("s16le", 16_000, 1)
    replicas.session.stored.streams[3] = StreamRow(
        StreamSpec(3, fmt, None), frames, samples, None, None
    )
    for server in (replicas.one, replicas.other):
        status, job = await server.json("GET", "/api/audio/jobs/s1.3")
        assert (status, job["code"]) == (404, "unknown_job")


async def test_a_whole_file_goes_on_without_its_replica(replicas: Replicas) -> None:
    await replicas.stats()
    fmt = PcmFormat("s16le", 16_000, 1)
    stored = replicas.session.stored
    stored.streams[3] = StreamRow(StreamSpec(3, fmt, None), 2, 17_000, None, None)
    stored.uploads[3] = UploadRow("s1", 3, False, None)
    _, job = await replicas.other.json("GET", "/api/audio/jobs/s1.3")
    assert (job["status"], job["stage"], job["error"]) == ("processing", "transcribing", None)


async def test_nobody_is_said_to_have_failed_while_a_replica_does_not_answer(
    tmp_path: Path,
) -> None:
    archive = InMemoryArchive()
    sessions = InMemorySessions(archive)
    server = {"ingress_replicas": 2}
    async with (
        served(tmp_path, sessions, archive, server=server) as host,
        aiohttp.ClientSession() as http,
    ):
        one = ApiServer(host, archive, sessions, ScriptedEngines(), http)
        session = await one.session()
        fmt = PcmFormat("s16le", 16_000, 1)
        session.stored.streams[0] = StreamRow(StreamSpec(0, fmt, None), 1, 16_000, None, None)
        session.stored.uploads[0] = UploadRow("s1", 0, False, None)
        _, job = await one.json("GET", "/api/audio/jobs/s1.0")
    assert (job["status"], job["error"]) == ("processing", None)


async def test_each_replica_keeps_its_own_limits(replicas: Replicas) -> None:
    async with connected(replicas.one), connected(replicas.one):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await replicas.one.live("s1")
        async with connected(replicas.other) as client:
            assert (await client.message(type="heartbeat"))["status"] == "ok"
            stats, _ = await replicas.stats()

    assert (stats["active_connections"], stats["refused_connections"]) == (3, 1)
    assert stats["peak_connections"] == 3


async def test_a_replica_that_is_gone_is_missing_and_holds_nobody_up(tmp_path: Path) -> None:
    place = RollCall()
    dead = asyncio.create_task(place.wait("dead", 0))
    archive = InMemoryArchive()
    async with (
        served(tmp_path, InMemorySessions(archive), archive, roll_call=place) as host,
        aiohttp.ClientSession() as http,
    ):
        server = ApiServer(host, archive, InMemorySessions(archive), ScriptedEngines(), http)
        status, stats = await server.json("GET", "/api/websocket/stats")
    await dead

    assert (status, stats["replicas_answering"]) == (200, 1)
