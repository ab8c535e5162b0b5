import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from orchestration.audio.pcm import PcmFormat
from orchestration.client import ingest, ingest_protocol, transport
from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.ingest_events import ConnectionLost, IngestEvent, Welcomed
from orchestration.client.player import AudioTrack, play
from orchestration.errors import UnknownSession
from orchestration.session.inputs import ChatFact, StreamSpec
from tests.doubles.api_server import api_server
from tests.doubles.unreliable_service import served_by, unreliable_service

MONO_8K = PcmFormat("s16le", 8000, 1)
DATA = Path(__file__).parents[1] / "data"


def numbered(count: int) -> list[bytes]:
    """Distinguishable 100 ms frames."""
    return [number.to_bytes(2, "little") * 800 for number in range(count)]


async def test_every_frame_and_fact_arrives_once_over_connections_that_die() -> None:
    lost: list[IngestEvent] = []
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.cuts = [3, 0, 12]
        specs = [StreamSpec(0, MONO_8K), StreamSpec(1, MONO_8K)]
        async with BotConnection(client, "s1", specs, on_event=lost.append) as bot:
            for number, frame in enumerate(numbered(20)):
                bot.add_fact(ChatFact(0, "p-1", "Ana", str(number), None))
                bot.add_audio(0, frame)
                bot.add_audio(1, frame[::-1])
            assert await bot.end() == {"streams": []}
    assert service.payloads == {0: numbered(20), 1: [frame[::-1] for frame in numbered(20)]}
    assert [fact["text"] for fact in service.facts] == [str(number) for number in range(20)]
    assert service.connections == 4
    assert sum(isinstance(event, ConnectionLost) for event in lost) == 3


async def test_a_session_that_does_not_exist_is_said_where_the_bot_waits(tmp_path: Path) -> None:
    async with (
        api_server(tmp_path) as server,
        OrchestrationClient(server.url) as client,
        BotConnection(client, "nobody", [StreamSpec(0, MONO_8K)]) as bot,
    ):
        with pytest.raises(UnknownSession):
            await bot.end()
        with pytest.raises(UnknownSession):
            bot.add_audio(0, numbered(1)[0])


@pytest.mark.parametrize("event", [Welcomed, ConnectionLost])
async def test_what_a_listener_raises_ends_the_connection_and_is_raised_where_the_bot_waits(
    event: type[IngestEvent],
) -> None:
    def listen(told: IngestEvent) -> None:
        if isinstance(told, event):
            raise ZeroDivisionError

    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.cuts = [0]
        async with BotConnection(client, "s1", [StreamSpec(0, MONO_8K)], on_event=listen) as bot:
            bot.add_audio(0, numbered(1)[0])
            with pytest.raises(ZeroDivisionError):
                async with asyncio.timeout(60):
                    await bot.end()


async def test_a_listener_that_cannot_write_is_no_lost_connection() -> None:
    def listen(told: IngestEvent) -> None:
        raise BrokenPipeError

    async with (
        unreliable_service() as service,
        OrchestrationClient(service.url) as client,
        BotConnection(client, "s1", [StreamSpec(0, MONO_8K)], on_event=listen) as bot,
    ):
        with pytest.raises(BrokenPipeError):
            async with asyncio.timeout(60):
                await bot.end()
        with pytest.raises(BrokenPipeError):
            bot.skip_samples(0, 1)
    assert service.connections == 1


async def test_a_service_of_small_frames_gets_all_audio_in_those(tmp_path: Path) -> None:
    spec = StreamSpec(0, PcmFormat("s16le", 48_000, 2))
    async with (
        api_server(tmp_path, ingest={"max_frame_bytes": 1024}) as server,
        OrchestrationClient(server.url) as client,
    ):
        await server.session("s1")
        async with BotConnection(client, "s1", [spec]) as bot:
            for _ in range(10):
                bot.add_audio(0, bytes(19_200))
            await bot.end()
            assert bot.protocol.streams[0].acked_sample == 48_000


async def test_a_service_that_takes_nothing_any_more_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingest_protocol, "SILENCE_LIMIT_NS", 300_000_000)
    monkeypatch.setattr(ingest, "LOOK_INTERVAL_S", 0.05)
    monkeypatch.setattr(transport, "CLOSE_TIMEOUT_S", 0.05)
    stereo = PcmFormat("f32le", 48_000, 2)
    came = asyncio.Queue[int]()

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        position = {"id": 0, "next_seq": 0, "next_sample": 0, "window": 10_000}
        welcome = {"type": "welcome", "epoch": 1, "streams": [position], "next_fact": 0}
        assert request.transport is not None
        request.transport.pause_reading()
        await socket.send_json(welcome)
        came.put_nowait(1)
        await closing.wait()
        request.transport.abort()
        return socket

    closing = asyncio.Event()
    async with (
        served_by(web.get("/ws/ingest/s1", serve)) as url,
        OrchestrationClient(url) as client,
        BotConnection(client, "s1", [StreamSpec(0, stereo)]) as bot,
    ):
        # More than the buffers on the way hold, and so what blocks whoever sends it.
        for _ in range(300):
            bot.add_audio(0, bytes(64_000))
        try:
            async with asyncio.timeout(30):
                for _ in range(2):
                    await came.get()
        finally:
            closing.set()


async def test_a_played_file_arrives_to_the_sample_at_the_real_edge(tmp_path: Path) -> None:
    track = AudioTrack(0, DATA / "reading.flac")
    samples = track.sample_count
    async with api_server(tmp_path) as server, OrchestrationClient(server.url) as client:
        await server.session("s1")
        async with BotConnection(client, "s1", [track.spec]) as bot:
            await play(bot, [track], speed=0)
            coverage = await bot.end()
            assert bot.protocol.streams[0].acked_sample == samples
        assert (await client.session("s1"))["status"] == "completed"
    track.close()
    assert isinstance(coverage["streams"], list)
