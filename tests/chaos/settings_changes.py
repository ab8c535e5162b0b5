"""Settings changed all the time while meetings run: words lost, and how soon everybody has them."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.client.api import OrchestrationClient
from orchestration.errors import SettingsRefused
from orchestration.json_types import JsonObject
from tests.chaos.checker import SessionFigures, check_session
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_session import COMPLETION_LIMIT_S, CodedSession, coded_session
from tests.chaos.service_under_test import ServiceUnderTest

CHANGES = 100
SESSIONS = 3
LONGEST_MS = 600_000
"""Of a meeting, which ends when the changes are over."""
PAUSE_S = (0.1, 1.0)
"""Least and most between two changes."""
POLL_S = 0.02
REACH_LIMIT_S = 30.0
SESSION_PREFIX = "session-"

WRONG: tuple[JsonObject, ...] = (
    {"sessions": {"chunking": {"chunk_ms": 100}}},
    {"sessions": {"chunking": {"chunk_ms": 6000, "overlap_ms": 5900}}},
    {"sessions": {"chunking": {"chunk_ms": "long"}, "prompt_characters": 40}},
    {"sessions": {"prompt_characters": 30, "nonsense": 1}},
    {"server": {"port": 1}, "sessions": {"prompt_characters": 50}},
    {"services": {"whisper": [{"url": "nowhere", "kind": "openai"}]}},
    {"nonsense": {"chunk_ms": 5000}},
)


def draw_patch(rng: random.Random) -> JsonObject:
    """A change of the settings by which sessions work; about two in five will not do."""
    if rng.random() < 0.35:
        return rng.choice(WRONG)
    guard_ms = rng.randint(500, 1500)
    overlap_ms = rng.randint(guard_ms + 1000, 6000)
    chunk_ms = rng.randint(overlap_ms + 500, 12_000)
    chunking: JsonObject = {
        "guard_ms": guard_ms,
        "overlap_ms": overlap_ms,
        "chunk_ms": chunk_ms,
        "max_chunk_ms": rng.randint(chunk_ms, 28_000),
        "end_of_speech_ms": rng.randint(300, 2000),
        "early_end_ms": rng.randint(100, 1000),
        "speech_margin_ms": rng.randint(100, 1000),
        "pause_search_ms": rng.randint(0, 3000),
        "voice_mode": rng.randint(0, 3),
    }
    # Only some of them: together with what holds that may do, or not.
    some = rng.random() < 0.3
    names = rng.sample(list(chunking), rng.randint(1, 3)) if some else list(chunking)
    return {"sessions": {"chunking": {name: chunking[name] for name in names}}}


@dataclass(frozen=True, slots=True)
class SettingsFigures:
    """`reach_s` are the seconds from a change to the moment when all sessions have said that they
    work by it, `everybody_s` to that when replicas, pools and supervisors have too. Both include
    the change itself and the asking.

    `unlike` counts answers that showed settings which no accepted change had made.
    """

    accepted: int
    refused: int
    reach_s: tuple[float, ...]
    everybody_s: tuple[float, ...]
    never_reached: int
    unlike: int
    sessions: tuple[SessionFigures, ...]

    @property
    def is_right(self) -> bool:
        return (
            not self.never_reached
            and not self.unlike
            and max(self.everybody_s, default=0) <= 1
            and all(session.is_right for session in self.sessions)
        )


async def run_settings_changes(
    service: ServiceUnderTest, folder: Path, *, seed: int, changes: int = CHANGES
) -> SettingsFigures:
    """Play meetings at once, and change the settings so often under them."""
    rng = random.Random(seed)
    async with OrchestrationClient(service.url) as client, asyncio.TaskGroup() as tasks:
        is_over = asyncio.Event()
        playing = [
            tasks.create_task(_played(service, client, folder, seed * SESSIONS + one, is_over))
            for one in range(SESSIONS)
        ]
        try:
            changing = _Changing(client, rng)
            await changing.run(changes)
        finally:
            is_over.set()
        sessions = [await one for one in playing]
        await client.reset_settings()
    return SettingsFigures(
        changing.accepted,
        changing.refused,
        tuple(changing.reach_s),
        tuple(changing.everybody_s),
        changing.never_reached,
        changing.unlike,
        tuple(sessions),
    )


class _Changing:
    """Changes one after the other, each until all sessions have it."""

    def __init__(self, client: OrchestrationClient, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        self.accepted = self.refused = self.never_reached = self.unlike = 0
        self.reach_s: list[float] = []
        self.everybody_s: list[float] = []

    async def run(self, changes: int) -> None:
        async with asyncio.timeout(COMPLETION_LIMIT_S):
            await self._sessions_are_there()
        for _ in range(changes):
            await asyncio.sleep(self._rng.uniform(*PAUSE_S))
            before = await self._client.settings()
            began_s = asyncio.get_running_loop().time()
            try:
                answer: Any = await self._client.change_settings(draw_patch(self._rng))
            except SettingsRefused:
                self.refused += 1
                after = await self._client.settings()
                self.unlike += after["settings"] != before["settings"]
                continue
            self.accepted += 1
            await self._reached(answer["version"], began_s)

    async def _reached(self, version: int, began_s: float) -> None:
        loop = asyncio.get_running_loop()
        in_sessions = False
        while loop.time() - began_s < REACH_LIMIT_S:
            state: Any = await self._client.settings()
            behind = [one["process"] for one in state["applied"] if one["version"] < version]
            if not in_sessions and not any(one.startswith(SESSION_PREFIX) for one in behind):
                in_sessions = True
                self.reach_s.append(loop.time() - began_s)
            if not behind:
                self.everybody_s.append(loop.time() - began_s)
                return
            await asyncio.sleep(POLL_S)
        self.never_reached += 1

    async def _sessions_are_there(self) -> None:
        while True:
            state: Any = await self._client.settings()
            there = [one["process"].startswith(SESSION_PREFIX) for one in state["applied"]]
            if sum(there) >= SESSIONS:
                return
            await asyncio.sleep(POLL_S)


async def _played(
    service: ServiceUnderTest,
    client: OrchestrationClient,
    folder: Path,
    seed: int,
    is_over: asyncio.Event,
) -> SessionFigures:
    meeting = coded_meeting(random.Random(seed), LONGEST_MS)
    name = f"settings-{seed}"
    async with coded_session(client, name, meeting, folder, speed=1.0) as session:
        await _until(session, is_over)
        await session.finish()
        return await check_session(client, service.dsn, name, session.meeting, session.events)


async def _until(session: CodedSession, is_over: asyncio.Event) -> None:
    over = asyncio.create_task(is_over.wait())
    await asyncio.wait([over, session.playing], return_when=asyncio.FIRST_COMPLETED)
    over.cancel()
