"""What the health monitor makes of session actors that answer, are silent or are gone; no Ray."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from actors import health_monitor, session_watch
from actors.health_monitor import HealthMonitor
from actors.names import ActorGone
from actors.session_watch import STUCK_AFTER_PROBES
from orchestration.config.models import Settings
from orchestration.errors import Unavailable

PATIENCE_S = 60
"""For what would otherwise never come."""

Answer = Callable[..., Awaitable[Any]]


class Method:
    """A method of an actor."""

    def __init__(self, answer: Answer) -> None:
        self.remote = answer


class Meetings:
    """The coordinator and the session actors, as the test says they are."""

    def __init__(self) -> None:
        self.actor_by_session = {"weekly": "session-1", "daily": "session-2"}
        self.figures: dict[str, Answer] = {}
        self.calls: list[tuple[str, ...]] = []
        self.looks = 0
        self.looked = asyncio.Event()
        self.control_store_fails = 0
        self.coordinator_answers: Answer = self._done

    def find(self, name: str, namespace: str) -> Any:
        if name == "coordinator":
            if self.control_store_fails:
                self.control_store_fails -= 1
                raise RuntimeError("the control store is away")
            return self
        if name not in self.figures:
            raise ValueError(name)
        return type("Actor", (), {"figures": Method(self.figures[name])})

    async def _done(self, *call: str) -> None:
        return None

    @property
    def open_sessions(self) -> Method:
        return Method(self._open_sessions)

    async def _open_sessions(self) -> dict[str, str]:
        self.looks += 1
        self.looked.set()
        return dict(self.actor_by_session)

    def __getattr__(self, action: str) -> Method:
        async def act(*arguments: str) -> Any:
            self.calls.append((action, *arguments))
            return await self.coordinator_answers(action, *arguments)

        return Method(act)


def told(status: str) -> Answer:
    async def figures() -> Any:
        return {"status": status}

    return figures


async def never(*call: str) -> None:
    await asyncio.Event().wait()


async def gone(*call: str) -> None:
    raise ActorGone("The part is not answering; ask again.")


@pytest.fixture
def meetings(monkeypatch: pytest.MonkeyPatch) -> Meetings:
    made = Meetings()
    monkeypatch.setattr("actors.health_monitor.ray.get_actor", made.find)
    monkeypatch.setattr(health_monitor, "SESSION_INTERVAL_S", 0.01)
    monkeypatch.setattr(session_watch, "PROBE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(session_watch, "ACTION_TIMEOUT_S", 0.05)
    return made


Watched = Callable[[int], Awaitable[None]]


@pytest.fixture
def watched(meetings: Meetings, tmp_path: Path) -> Watched:
    """Have a monitor look at the sessions so often."""

    async def look(times: int) -> None:
        monitor = HealthMonitor(Settings(data_dir=tmp_path), "")
        task = asyncio.create_task(monitor._keep_watch_over_sessions())
        try:
            async with asyncio.timeout(PATIENCE_S):
                while meetings.looks <= times:
                    meetings.looked.clear()
                    await meetings.looked.wait()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return look


async def test_a_meeting_whose_actor_is_hard_to_replace_holds_up_nobody_elses_supervision(
    meetings: Meetings, watched: Watched
) -> None:
    meetings.figures = {"session-2": told("active")}
    meetings.coordinator_answers = never
    await watched(3)
    assert ("replace", "weekly", "session-1") in meetings.calls


async def test_a_replacement_that_fails_leaves_the_others_counted(
    meetings: Meetings, watched: Watched
) -> None:
    meetings.figures = {"session-2": never}

    async def fails(*call: str) -> None:
        raise Unavailable("The session's actor does not take it; ask again.")

    meetings.coordinator_answers = fails
    await watched(STUCK_AFTER_PROBES + 1)
    assert ("replace", "daily", "session-2") in meetings.calls


async def test_supervision_goes_on_after_an_error_that_nobody_foresaw(
    meetings: Meetings, watched: Watched
) -> None:
    meetings.figures = {"session-1": told("active"), "session-2": told("active")}
    meetings.control_store_fails = 1
    await watched(2)


@pytest.mark.parametrize("answers", [gone, never])
@pytest.mark.parametrize("status", ["completed", "idle"])
async def test_a_coordinator_that_is_away_makes_no_session_dead_or_stuck(
    meetings: Meetings, watched: Watched, status: str, answers: Answer
) -> None:
    meetings.figures = {"session-1": told(status), "session-2": told("active")}
    meetings.coordinator_answers = answers
    await watched(STUCK_AFTER_PROBES + 2)
    assert "replace" not in {action for action, *_ in meetings.calls}
