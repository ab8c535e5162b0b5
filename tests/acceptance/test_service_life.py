"""Starting, stopping, dying and coming back."""

import asyncio
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.player import AudioTrack, load_speaker_events, play
from tests.acceptance.test_meeting import DATA, spoken_text
from tests.chaos.service_under_test import cpu_s
from tests.scoring import word_error_rate
from tests.service import (
    ORCHESTRATION,
    RunningService,
    environment,
    free_port,
    processes_mentioning,
)


def mixed_meeting() -> AudioTrack:
    events = load_speaker_events(DATA / "meeting_speakers.json")
    return AudioTrack(0, DATA / "meeting.flac", None, events)


async def final_text(client: OrchestrationClient, session_id: str) -> str:
    transcript: Any = await client.transcript(session_id)
    return " ".join(segment["text"] for segment in transcript["segments"])


def session_actor_of(running: RunningService) -> psutil.Process:
    """The one busy session actor of this service."""
    actors = [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if process.info["cmdline"]
        and process.info["cmdline"][0].startswith("ray::SessionActor")
        and str(running.data_dir) in str(process.info["environ"])
    ]
    return max(actors, key=cpu_s)


async def first_line_of(client: OrchestrationClient, session_id: str) -> None:
    """Wait until the session has its first final line."""
    while True:
        events: Any = await client.events(session_id)
        if any(event["type"] == "segment" for event in events["items"]):
            return
        await asyncio.sleep(0.2)


async def assert_whole(client: OrchestrationClient, session_id: str, coverage: Any) -> None:
    """The meeting is all there: every sample, every word, every event."""
    only = coverage["streams"][0]
    assert (only["pending"], only["lost"]) == (0, 0)
    assert only["transcribed"] + only["silent"] == only["duration"]
    assert word_error_rate(spoken_text(), await final_text(client, session_id)).rate <= 0.06
    events: Any = (await client.events(session_id))["items"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["status"] == "completed"


async def test_a_killed_session_actor_costs_delay_and_no_words(running: RunningService) -> None:
    track = mixed_meeting()
    async with OrchestrationClient(running.url) as client:
        await client.create_session(session_id="killed", language="en")
        async with BotConnection(client, "killed", [track.spec]) as bot:
            playing = asyncio.create_task(play(bot, [track], speed=6))
            await first_line_of(client, "killed")
            session_actor_of(running).kill()
            await playing
            coverage = await bot.end()
        await assert_whole(client, "killed", coverage)
    track.close()


async def test_a_meeting_goes_on_when_the_service_is_stopped_and_started_again(
    running: RunningService,
) -> None:
    track = mixed_meeting()
    async with OrchestrationClient(running.url) as client:
        await client.create_session(session_id="long", language="en")
        async with BotConnection(client, "long", [track.spec]) as bot:
            playing = asyncio.create_task(play(bot, [track], speed=3))
            await first_line_of(client, "long")
            assert await asyncio.to_thread(running.stop) == 0
            assert processes_mentioning(str(running.data_dir)) == []
            await asyncio.to_thread(running.start_again)
            await playing
            coverage = await bot.end()
        await assert_whole(client, "long", coverage)
    track.close()


def failed_start(data_dir: Path, **variables: str) -> str:
    """What `orchestration up` says when it cannot start."""
    done = subprocess.run(
        [*ORCHESTRATION, "up"],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(data_dir, **variables),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.casefold()


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in failed_start(tmp_path / "data", PORT=port)


def test_an_unreachable_database_is_one_sentence(tmp_path: Path) -> None:
    said = failed_start(
        tmp_path / "data",
        PORT=str(free_port()),
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
    )
    assert "postgresql" in said


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    assert "no-such-model" in failed_start(tmp_path / "data", WHISPER_MODEL="/no-such-model")


def test_a_host_beyond_loopback_without_a_key_is_one_sentence(tmp_path: Path) -> None:
    assert "orchestration_api_key" in failed_start(tmp_path / "data", HOST="0.0.0.0")


def test_a_second_service_on_the_same_data_is_refused(running: RunningService) -> None:
    assert "another" in failed_start(running.data_dir, PORT=str(free_port()))
