"""SIGKILL to each part of a running service at random moments of a meeting.

Killed are single processes, PostgreSQL and the whole service; and a session's actor is stopped in
its tracks, for the health monitor to find. Measured is the time until the
client gets an ack for audio captured after the kill; checked is everything in the end.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from orchestration.client.api import OrchestrationClient
from orchestration.errors import OrchestrationError
from tests.chaos.checker import SessionFigures, check_session
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_session import CodedSession, NotInTime, coded_session
from tests.chaos.service_under_test import (
    COORDINATOR,
    DISPATCHER,
    HAPROXY,
    HEALTH_MONITOR,
    INGRESS,
    SESSION_ACTOR,
    TRANSCRIPTION,
    ServiceUnderTest,
)

ACK_LIMIT_S = 90.0
"""No ack for so long after a kill counts as a service that does not recover by itself."""

VICTIM_LIMIT_S = 60.0
"""A victim that has not come back from its last death by then is reported."""

BEFORE_KILL_S = (0.3, 3.0)
SPEED = 2.0
MEETING_MS = 480_000
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class KillFigures:
    """One kill; `to_ack_s` is None where no ack came."""

    victim: str
    session_id: str
    to_ack_s: float | None


@dataclass(slots=True)
class MatrixFigures:
    """All kills, the sessions they were in, and what went wrong with the harness's own eyes."""

    kills: list[KillFigures] = field(default_factory=list)
    sessions: list[SessionFigures] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not self.troubles and all(session.is_right for session in self.sessions)


KINDS = {
    kind.name: kind
    for kind in (
        SESSION_ACTOR,
        COORDINATOR,
        HEALTH_MONITOR,
        DISPATCHER,
        INGRESS,
        TRANSCRIPTION,
        HAPROXY,
    )
}
POSTGRES = "PostgreSQL"
WHOLE_SERVICE = "whole service"
STUCK_ACTOR = "SessionActor, stuck"
"""Its process is stopped, not ended: as with a blocked event loop, it holds its connections and
answers nothing."""
ALL_VICTIMS = (*KINDS, POSTGRES, WHOLE_SERVICE, STUCK_ACTOR)


async def run_kills(
    service: ServiceUnderTest,
    plan: Sequence[str],
    folder: Path,
    *,
    seed: int,
    kills_per_session: int = 3,
    report: Callable[[str], None] = print,
) -> MatrixFigures:
    """Kill what the plan names, in its order, a few in each session; `report` says how it goes."""
    figures = MatrixFigures()
    async with OrchestrationClient(service.url) as client:
        for first in range(0, len(plan), kills_per_session):
            some = plan[first : first + kills_per_session]
            session_id = f"kills-{seed}-{first}"
            try:
                report(f"{session_id}: {', '.join(some)}")
                await _kill_in_one_session(service, client, session_id, some, folder, figures)
            except (NotInTime, OrchestrationError, psutil.Error) as trouble:
                figures.troubles.append(f"{session_id} ({', '.join(some)}): {trouble}")
                report(figures.troubles[-1])
                await _start_over(service)
    return figures


async def _kill_in_one_session(
    service: ServiceUnderTest,
    client: OrchestrationClient,
    session_id: str,
    victims: Sequence[str],
    folder: Path,
    figures: MatrixFigures,
) -> None:
    rng = random.Random(session_id)
    meeting = coded_meeting(rng, MEETING_MS)
    async with coded_session(client, session_id, meeting, folder, speed=SPEED) as session:
        await session.acks_go_on(ACK_LIMIT_S)
        for victim in victims:
            # What an earlier kill held up would be counted with the next one's.
            await session.level(ACK_LIMIT_S)
            await asyncio.sleep(rng.uniform(*BEFORE_KILL_S))
            to_ack_s = await _kill(service, session, victim, figures)
            figures.kills.append(KillFigures(victim, session_id, to_ack_s))
            if to_ack_s is None:
                raise NotInTime(f"no ack in {ACK_LIMIT_S:g} s after {victim} was killed")
        await asyncio.sleep(rng.uniform(*BEFORE_KILL_S))
        await session.finish()
        if session.skipped:
            figures.troubles.append(f"{session_id}: the client had to skip audio")
        figures.sessions.append(
            await check_session(client, service.dsn, session_id, session.meeting, session.events)
        )


async def _kill(
    service: ServiceUnderTest, session: CodedSession, victim: str, figures: MatrixFigures
) -> float | None:
    """Kill the victim once it is there; seconds until acks flow again, None if they do not."""
    if victim == WHOLE_SERVICE:
        began_s = time.monotonic()
        await asyncio.to_thread(service.kill)
        await asyncio.to_thread(service.start)
    else:
        process = await _found(victim, service)
        began_s = time.monotonic()
        if victim == STUCK_ACTOR:
            process.suspend()
        else:
            process.kill()
    try:
        await session.acks_go_on(ACK_LIMIT_S)
    except NotInTime as trouble:
        figures.troubles.append(f"{session.session_id} ({victim}): {trouble}")
        return None
    return time.monotonic() - began_s


async def _found(victim: str, service: ServiceUnderTest) -> psutil.Process:
    deadline_s = time.monotonic() + VICTIM_LIMIT_S
    while time.monotonic() < deadline_s:
        process = await asyncio.to_thread(_look, victim, service)
        if process is not None:
            return process
        await asyncio.sleep(POLL_S)
    raise NotInTime(f"there is no {victim} to kill, {VICTIM_LIMIT_S:g} s after the last")


def _look(victim: str, service: ServiceUnderTest) -> psutil.Process | None:
    if victim == POSTGRES:
        return service.postmaster()
    return service.busiest(SESSION_ACTOR if victim == STUCK_ACTOR else KINDS[victim])


async def _start_over(service: ServiceUnderTest) -> None:
    await asyncio.to_thread(service.stop)
    await asyncio.to_thread(service.start)
