"""What the service depends on goes away in the middle of a meeting, and comes back.

One session is played through all outages in real time. Measured are the time until it has caught
up with the speech, and the service's memory at its highest.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestration.client.api import OrchestrationClient
from orchestration.errors import OrchestrationError
from tests.chaos.checker import SessionFigures, check_session
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_session import CodedSession, NotInTime, coded_session
from tests.chaos.coded_whisper import CodedWhisper
from tests.chaos.service_under_test import ServiceUnderTest
from tests.doubles.faulty_server import FaultMode

ACK_LIMIT_S = 60.0
CATCH_UP_LIMIT_S = 180.0
CAUGHT_UP_MS = 8_000
"""Captured audio of this length may await its words in a session that nothing is wrong with."""
CAUGHT_UP_FRAMES = 10
POLL_S = 0.25
MEMORY_INTERVAL_S = 2.0
SLOW_WHISPER_MS = 10_000
"""Of each answer: longer than a chunk of the default length lasts."""
SPARE_MS = 120_000
"""Audio for each outage, beyond the outage itself."""


@dataclass(frozen=True, slots=True)
class OutageFigures:
    """One outage; `catch_up_s` counts from its end."""

    name: str
    outage_s: float
    catch_up_s: float
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class OutagesFigures:
    """All outages and the session that went through them."""

    outages: tuple[OutageFigures, ...]
    memory_before_bytes: int
    session: SessionFigures


Outage = Callable[[ServiceUnderTest, CodedWhisper, float], Awaitable[None]]
"""Breaks something, waits the seconds given, and mends it."""


def _whisper(mode: FaultMode) -> Outage:
    async def outage(service: ServiceUnderTest, whisper: CodedWhisper, seconds: float) -> None:
        whisper.mode = mode
        try:
            await asyncio.sleep(seconds)
        finally:
            whisper.mode = "ok"

    return outage


async def _slow_whisper(service: ServiceUnderTest, whisper: CodedWhisper, seconds: float) -> None:
    whisper.latency_ms = SLOW_WHISPER_MS
    try:
        await asyncio.sleep(seconds)
    finally:
        whisper.latency_ms = 0


async def _database_stalls(
    service: ServiceUnderTest, whisper: CodedWhisper, seconds: float
) -> None:
    stopped = service.database_processes()
    for process in stopped:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


OUTAGES: Mapping[str, Outage] = {
    "whisper answers 500": _whisper("server_error"),
    "whisper hangs": _whisper("hang"),
    "whisper answers garbage": _whisper("garbage"),
    "whisper answers HTML": _whisper("html"),
    "whisper's answers break off": _whisper("truncated"),
    "whisper answers 429": _whisper("overloaded"),
    "whisper is slow": _slow_whisper,
    "PostgreSQL stalls": _database_stalls,
}


async def run_outages(
    service: ServiceUnderTest,
    whisper: CodedWhisper,
    names: Sequence[str],
    folder: Path,
    *,
    outage_s: float,
    seed: int,
) -> OutagesFigures:
    """Go through the outages in turn.

    Raises:
        NotInTime: the session does not catch up after one of them, or does not end.
    """
    rng = random.Random(seed)
    meeting = coded_meeting(rng, len(names) * (round(outage_s * 1000) + SPARE_MS))
    session_id = f"outages-{seed}"
    figures = []
    before_bytes = await asyncio.to_thread(service.memory_bytes)
    async with (
        OrchestrationClient(service.url) as client,
        coded_session(client, session_id, meeting, folder, speed=1) as session,
    ):
        await session.acks_go_on(ACK_LIMIT_S)
        for name in names:
            async with _peak_memory(service) as peak:
                await OUTAGES[name](service, whisper, outage_s)
                catch_up_s = await _caught_up(client, session, name)
            figures.append(OutageFigures(name, outage_s, catch_up_s, peak[0]))
        await session.finish()
        checked = await check_session(
            client, service.dsn, session_id, session.meeting, session.events
        )
    return OutagesFigures(tuple(figures), before_bytes, checked)


async def _caught_up(client: OrchestrationClient, session: CodedSession, name: str) -> float:
    """Seconds until the words are as near behind the speech as ever."""
    began_s = time.monotonic()
    while True:
        with contextlib.suppress(OrchestrationError):
            behind_ms = session.position_ms - await _settled_ms(client, session)
            unacked = session.outbox.next_seq - session.outbox.acked
            if behind_ms <= CAUGHT_UP_MS and unacked <= CAUGHT_UP_FRAMES:
                return time.monotonic() - began_s
        if time.monotonic() - began_s > CATCH_UP_LIMIT_S:
            raise NotInTime(f"not caught up {CATCH_UP_LIMIT_S:g} s after {name!r}")
        await asyncio.sleep(POLL_S)


async def _settled_ms(client: OrchestrationClient, session: CodedSession) -> int:
    (only,) = (await _coverage(client, session.session_id))["streams"]
    settled: int = only["transcribed"] + only["silent"] + only["lost"]
    return settled * 1000 // session.meeting.sample_rate


async def _coverage(client: OrchestrationClient, session_id: str) -> Any:
    return await client.coverage(session_id)


@contextlib.asynccontextmanager
async def _peak_memory(service: ServiceUnderTest) -> AsyncIterator[list[int]]:
    """Bytes at the highest, in a list of one that is renewed while the block runs."""
    peak = [0]

    async def look() -> None:
        while True:
            peak[0] = max(peak[0], await asyncio.to_thread(service.memory_bytes))
            await asyncio.sleep(MEMORY_INTERVAL_S)

    looking = asyncio.create_task(look())
    try:
        yield peak
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
