"""Starting, stopping, dying and coming back."""

import asyncio
import contextlib
import io
import socket
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
import soundfile

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.player import AudioTrack, load_speaker_events, play
from tests.acceptance.raw_client import POLL_S, Service
from tests.acceptance.test_meeting import DATA, spoken_text
from tests.chaos.service_under_test import INGRESS, SESSION_ACTOR, Kind, cpu_s
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


def processes_of(running: RunningService, kind: Kind) -> list[psutil.Process]:
    """The processes of this kind that this service has."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if process.info["cmdline"]
        and process.info["cmdline"][0].startswith(kind.command)
        and str(running.data_dir) in str(process.info["environ"])
    ]


def session_actor_of(running: RunningService) -> psutil.Process:
    """The one busy session actor of this service."""
    return max(processes_of(running, SESSION_ACTOR), key=cpu_s)


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


async def test_a_changed_timeout_is_worked_by_in_every_process(service: Service) -> None:
    """Dispatchers among them, which follow once they have had work."""
    change = {"settings": {"services": {"timeout_s": 41}}}
    version = (await service.ask("POST", "/api/settings", change)).json["version"]
    while True:
        state = await service.get("/api/settings")
        applied = {one["process"]: one["version"] for one in state["applied"]}
        if set(applied.values()) == {version} and any("dispatcher" in one for one in applied):
            break
        await asyncio.sleep(POLL_S)
    assert state["settings"]["services"]["timeout_s"] == 41
    assert (await service.ask("POST", "/api/settings/reset", {})).status == 200


async def sent(running: RunningService, file: bytes, key: str) -> Any:
    """The job of a file that is sent with this key."""
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(file), filename="long.flac")
    headers = {"Prefer": "respond-async", "Idempotency-Key": f'"{key}"'}
    url = f"{running.url}/api/audio/upload"
    async with aiohttp.ClientSession() as http, http.post(url, data=form, headers=headers) as said:
        assert said.status == 202
        return await said.json()


async def test_a_file_whose_replica_is_killed_on_its_way_has_failed_and_may_come_again(
    running: RunningService, service: Service
) -> None:
    words, rate = soundfile.read(DATA / "reading.flac", dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, np.tile(words, 2400 * rate // len(words)), rate, format="FLAC")
    job = await sent(running, file.getvalue(), "long")
    while not job["decoded_seconds"]:
        job = await service.get(job["status_url"])
    assert job["stage"] == "decoding"
    for replica in processes_of(running, INGRESS):
        replica.kill()
    while job["status"] == "processing":
        await asyncio.sleep(POLL_S)
        with contextlib.suppress(aiohttp.ClientError, ValueError):
            answer = await service.ask("GET", job["status_url"])
            job = answer.json if answer.status == 200 else job
    assert (job["status"], job["error"]["code"]) == ("failed", "unavailable")
    assert "send it again" in job["error"]["detail"]
    again = await sent(running, file.getvalue(), "long")
    assert again["session_id"] != job["session_id"]
    assert (await sent(running, file.getvalue(), "long"))["job_id"] == again["job_id"]
    for one in (job, again):
        gone = await service.ask("DELETE", f"/api/sessions/{one['session_id']}")
        assert gone.status == 200


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
