"""A viewer that leaves and comes back every second sees what one that stays does."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from orchestration.client.api import OrchestrationClient
from orchestration.errors import ServiceUnreachable, Unavailable
from orchestration.json_types import JsonObject
from tests.chaos.checker import SessionFigures, check_session, unlike
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_session import COMPLETION_LIMIT_S, coded_session
from tests.chaos.service_under_test import ServiceUnderTest

INTERVAL_S = 1.0
SPEED = 2.0
CLOSE_DONE = 1000


@dataclass(slots=True)
class FlappingViewer:
    """What the viewer that comes and goes got, exactly as it came."""

    events: list[JsonObject] = field(default_factory=list)
    visits: int = 0
    snapshots: int = 0

    async def watch(self, client: OrchestrationClient, session_id: str) -> None:
        """Come and go until the session has completed."""
        while True:
            self.visits += 1
            after = self.events[-1]["seq"] if self.events else 0
            try:
                path = f"/ws/live/{session_id}"
                async with client.websocket(path, {"after": after}) as socket:
                    await self._look(socket)
                if socket.close_code == CLOSE_DONE and self._is_over:
                    return
            except (ServiceUnreachable, Unavailable):
                await asyncio.sleep(INTERVAL_S)

    async def _look(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async with asyncio.timeout(INTERVAL_S):
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self._take(json.loads(message.data))
        except TimeoutError:
            return

    def _take(self, message: Any) -> None:
        if message["type"] == "snapshot":
            self.snapshots += 1
        elif "seq" in message and message["type"] != "resumed":
            self.events.append(message)

    @property
    def _is_over(self) -> bool:
        return bool(self.events) and self.events[-1].get("status") == "completed"


@dataclass(frozen=True, slots=True)
class FlappingFigures:
    """`unlike` counts events that only one of both viewers got, got otherwise, or got twice."""

    visits: int
    snapshots: int
    events: int
    unlike: int
    session: SessionFigures


async def run_flapping(
    service: ServiceUnderTest, folder: Path, *, seconds: float, seed: int
) -> FlappingFigures:
    """Play a meeting to both viewers for about this long."""
    session_id = f"flapping-{seed}"
    meeting = coded_meeting(random.Random(seed), round(seconds * SPEED * 1000))
    viewer = FlappingViewer()
    async with (
        OrchestrationClient(service.url) as client,
        coded_session(client, session_id, meeting, folder, speed=SPEED) as session,
    ):
        flapping = asyncio.create_task(viewer.watch(client, session_id))
        await session.playing
        await session.finish()
        async with asyncio.timeout(COMPLETION_LIMIT_S):
            await flapping
        checked = await check_session(
            client, service.dsn, session_id, session.meeting, session.events
        )
    return FlappingFigures(
        viewer.visits,
        viewer.snapshots,
        len(viewer.events),
        unlike(viewer.events, session.events),
        checked,
    )
