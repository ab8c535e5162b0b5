"""Bad networks between bot and service: the same transcript afterwards."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orchestration.client.api import OrchestrationClient
from tests.chaos.checker import SessionFigures, check_session
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_session import coded_session, watched_events
from tests.chaos.cutting_proxy import CuttingProxy
from tests.chaos.rude_sender import RudeSender
from tests.chaos.service_under_test import ServiceUnderTest

CUT_INTERVAL_S = 2.0
SPEED = 2.0


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    """One bad network: how often it did what, and what became of the session."""

    name: str
    faults: Mapping[str, int]
    session: SessionFigures


async def run_cuts(
    service: ServiceUnderTest, folder: Path, *, seconds: float, seed: int
) -> NetworkFigures:
    """The reference client on a connection that is cut every `CUT_INTERVAL_S`."""
    session_id = f"cuts-{seed}"
    meeting = coded_meeting(random.Random(seed), round(seconds * SPEED * 1000))
    port = urlsplit(service.url).port
    assert port is not None
    async with (
        CuttingProxy(port, interval_s=CUT_INTERVAL_S) as proxy,
        OrchestrationClient(service.url) as client,
        OrchestrationClient(proxy.url) as sending,
        coded_session(client, session_id, meeting, folder, speed=SPEED, sending=sending) as session,
    ):
        await session.playing
        await session.finish()
        checked = await check_session(
            client, service.dsn, session_id, session.meeting, session.events
        )
        return NetworkFigures("cut every 2 s", {"cuts": proxy.cuts}, checked)


async def run_rudeness(service: ServiceUnderTest, *, seconds: float, seed: int) -> NetworkFigures:
    """A client that repeats, reorders and corrupts its frames."""
    session_id = f"rude-{seed}"
    rng = random.Random(seed)
    meeting = coded_meeting(rng, round(seconds * SPEED * 1000))
    async with OrchestrationClient(service.url) as client:
        await client.create_session(session_id=session_id, language="en")
        sender = RudeSender(client, session_id, meeting, rng, speed=SPEED)
        async with watched_events(client, session_id) as watched:
            await sender.send_all()
            events = await watched
        checked = await check_session(client, service.dsn, session_id, meeting, events)
    faults: dict[str, int] = {"connections": sender.connections}
    faults.update(sender.faults)
    return NetworkFigures("frames repeated, reordered, corrupted", faults, checked)
