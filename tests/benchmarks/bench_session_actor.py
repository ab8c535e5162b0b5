"""What a session costs: its actor's memory, and its creation with and without a warm actor.

    python -m tests.benchmarks.bench_session_actor

Memory is PSS: an actor's own pages and its share of those it has in common with others.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.player import AudioTrack, load_speaker_events, play
from tests.benchmarks.figures import machine_line, p50_p95, percentile, row
from tests.service import RunningService, service

DATA = Path(__file__).parents[1] / "data"
CREATIONS = 30
COLD_CREATIONS = 8
REST_S = 1.0
"""Between a refilled pool and the next creation."""
SPEED = 4.0
BAR_PSS_MB = 80
BAR_CREATE_MS = 100


def session_actors(running: RunningService) -> list[psutil.Process]:
    """The processes of this service's session actors."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if process.info["cmdline"]
        and process.info["cmdline"][0].startswith("ray::SessionActor")
        and str(running.data_dir) in str(process.info["environ"])
    ]


def pss_mb(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / 2**20


async def until_actors(running: RunningService, count: int) -> None:
    """Until so many session actors live, and have come to rest."""
    while len(await asyncio.to_thread(session_actors, running)) != count:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    await asyncio.sleep(REST_S)


async def play_meeting(client: OrchestrationClient, session_id: str) -> None:
    events = load_speaker_events(DATA / "meeting_speakers.json")
    track = AudioTrack(0, DATA / "meeting.flac", None, events)
    async with BotConnection(client, session_id, [track.spec]) as bot:
        await play(bot, [track], speed=SPEED)
        await bot.end()
    track.close()


async def memory(running: RunningService) -> None:
    async with OrchestrationClient(running.url) as client:
        await until_actors(running, 1)
        idle = session_actors(running)[0]
        row("PSS of an idle actor", f"{pss_mb(idle):.1f} MB", f"{BAR_PSS_MB} MB")
        await client.create_session("memory", language="en")
        playing = asyncio.create_task(play_meeting(client, "memory"))
        highest_mb = 0.0
        while not playing.done():
            highest_mb = max(highest_mb, await asyncio.to_thread(pss_mb, idle))
            await asyncio.wait([playing], timeout=0.5)
        await playing
        row("PSS of an active actor, at its highest", f"{highest_mb:.1f} MB")
        await client.delete_session("memory")


async def creations(running: RunningService, count: int, warm_actors: int) -> list[float]:
    """Milliseconds from POST to its answer, each with the pool as it should be."""
    took_ms = []
    async with OrchestrationClient(running.url) as client:
        for number in range(count):
            await until_actors(running, warm_actors)
            began_s = time.perf_counter()
            created: Any = await client.create_session(f"creation-{number}")
            took_ms.append((time.perf_counter() - began_s) * 1000)
            assert created["status"] == "created"
            await client.delete_session(f"creation-{number}")
    return took_ms


def main() -> None:
    print(f"Session actors; {machine_line()}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with service(Path(folder) / "warm") as running:
            asyncio.run(memory(running))
            warm_ms = asyncio.run(creations(running, CREATIONS, 1))
        name = f"creation from the warm pool, {CREATIONS} times"
        row(name, p50_p95(warm_ms, "ms"), f"p50 {BAR_CREATE_MS} ms")
        no_pool = Path(folder) / "no-pool.yaml"
        no_pool.write_text("sessions: {warm_actors: 0}")
        with service(Path(folder) / "cold", ORCHESTRATION_CONFIG=str(no_pool)) as running:
            cold_ms = asyncio.run(creations(running, COLD_CREATIONS, 0))
    row(f"creation with a cold start, {COLD_CREATIONS} times", p50_p95(cold_ms, "ms"))
    row("ratio of the medians", f"{percentile(cold_ms, 0.5) / percentile(warm_ms, 0.5):.0f}")
    print(f"Afterwards: {machine_line()}")


if __name__ == "__main__":
    main()
