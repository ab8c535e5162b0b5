"""What the monitor makes of work that waits, and whom it has acted on; without Ray."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import work_watch
from actors.dispatcher_figures import TRANSCRIPTION, TRANSLATION, DispatcherFigures
from actors.names import COORDINATOR
from orchestration.config.models import Settings
from orchestration.health.alerts import Figure

STALLED_AFTER_MS = 180_000
ABANDONED_AFTER_MS = 300_000
"""The defaults of the settings."""
NODE = "0a1b"
DISPATCHER = f"dispatcher-{NODE}"


class Method:
    """A method of an actor, that remembers what it was called with."""

    def __init__(self, calls: list[tuple[str, ...]], name: str, answer: Any) -> None:
        self._calls, self._name, self._answer = calls, name, answer

    def remote(self, *arguments: str) -> Any:
        self._calls.append((self._name, *arguments))

        async def answer() -> Any:
            return self._answer

        return answer()


class Coordinator:
    """What it was asked to do."""

    def __init__(self, *, restarts: bool = True) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.replace = Method(self.calls, "replace", None)
        self.session_expired = Method(self.calls, "session_expired", None)
        self.restart_dispatcher = Method(self.calls, "restart_dispatcher", restarts)


class Watched(work_watch.WorkWatch):
    """Its dispatchers are the test's."""

    def __init__(self) -> None:
        super().__init__(Settings(data_dir=Path()))
        self.dispatchers: dict[str, DispatcherFigures] = {}

    async def _dispatchers(self) -> dict[str, DispatcherFigures]:
        return self.dispatchers


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> Coordinator:
    made = Coordinator()
    monkeypatch.setattr("actors.work_watch.ray.get_actor", lambda *_: made)
    return made


def session(answers: int, chunks: int = 1, epoch: int = 1, senderless_ms: int = 0) -> Any:
    return {
        "status": "active",
        "epoch": epoch,
        "answers": answers,
        "chunks_waiting": chunks,
        "translations_waiting": 2,
        "database_waiters": 0,
        "senderless_ms": senderless_ms,
    }


def calls(under_way: int, answered: int, lost: int = 0) -> DispatcherFigures:
    return DispatcherFigures(
        {TRANSCRIPTION: under_way, TRANSLATION: 0}, {TRANSCRIPTION: answered, TRANSLATION: 0}, lost
    )


async def test_a_session_that_stopped_working_is_unhealthy_and_replaced(
    coordinator: Coordinator,
) -> None:
    watch = Watched()
    for now_ms in (0, STALLED_AFTER_MS - 1):
        watch.session_told("weekly", "session-1", session(7))
        await watch.look(now_ms, can_work=True)
        assert watch.probe.healthy

    await watch.look(STALLED_AFTER_MS, can_work=True)

    assert coordinator.calls == [("replace", "weekly", "session-1")]
    assert not watch.probe.healthy
    assert watch.probe.is_certain
    assert "session weekly" in watch.probe.detail
    assert Figure("stopped_consuming", "session weekly", 1) in watch.figures

    watch.session_told("weekly", "session-2", session(0, epoch=2))
    watch.sessions_are(["session-2"])
    await watch.look(STALLED_AFTER_MS + 10_000, can_work=True)
    assert watch.probe.healthy
    assert len(coordinator.calls) == 1


async def test_who_stopped_only_alarms_while_nobody_acts(coordinator: Coordinator) -> None:
    watch = Watched()
    watch.session_told("weekly", "session-1", session(7))
    for now_ms in (0, STALLED_AFTER_MS):
        await watch.look(now_ms, can_work=True, acts=False)
    assert coordinator.calls == []
    assert Figure("stopped_consuming", "session weekly", 1) in watch.figures
    assert not watch.probe.healthy

    await watch.look(STALLED_AFTER_MS + 1, can_work=True)
    assert coordinator.calls == [("replace", "weekly", "session-1")]


async def test_nobody_is_blamed_while_there_is_no_database(coordinator: Coordinator) -> None:
    watch = Watched()
    watch.session_told("weekly", "session-1", session(7))
    await watch.look(0, can_work=True)
    await watch.look(STALLED_AFTER_MS, can_work=False)
    await watch.look(STALLED_AFTER_MS + 1, can_work=True)
    assert watch.probe.healthy
    assert coordinator.calls == []


async def test_a_dispatcher_whose_calls_get_no_answer_is_restarted(
    coordinator: Coordinator,
) -> None:
    watch = Watched()
    watch.dispatchers = {DISPATCHER: calls(3, 9)}
    await watch.look(0, can_work=True)
    await watch.look(STALLED_AFTER_MS, can_work=True)
    assert coordinator.calls == [("restart_dispatcher", NODE)]
    assert not watch.probe.healthy
    # It has all of its time again.
    await watch.look(STALLED_AFTER_MS + 1, can_work=True)
    await watch.look(2 * STALLED_AFTER_MS, can_work=True)
    assert len(coordinator.calls) == 1


async def test_a_session_past_its_time_is_ended_by_somebody_else(
    coordinator: Coordinator,
) -> None:
    watch = Watched()
    within = ABANDONED_AFTER_MS + work_watch.EXPIRED_GRACE_MS - 1
    watch.session_told("weekly", "session-1", session(7, senderless_ms=within))
    await watch.look(0, can_work=True)
    assert coordinator.calls == []
    watch.session_told("weekly", "session-1", session(8, senderless_ms=within + 1))
    await watch.look(1000, can_work=True)
    assert coordinator.calls == [("session_expired", "weekly", "session-1")]
    assert Figure("overdue", "session weekly", 1) in watch.figures


async def test_a_session_past_its_time_is_only_told_of_while_nobody_acts(
    coordinator: Coordinator,
) -> None:
    watch = Watched()
    late_ms = ABANDONED_AFTER_MS + work_watch.EXPIRED_GRACE_MS
    watch.session_told("weekly", "session-1", session(7, senderless_ms=late_ms))
    await watch.look(0, can_work=True, acts=False)
    assert coordinator.calls == []
    assert Figure("overdue", "session weekly", 1) in watch.figures


async def test_limits_that_change_hold_from_the_next_look_on(coordinator: Coordinator) -> None:
    watch = Watched()
    late_ms = ABANDONED_AFTER_MS + work_watch.EXPIRED_GRACE_MS
    watch.session_told("weekly", "session-1", session(7, senderless_ms=late_ms))
    longer = {"sessions": {"abandoned_after_s": 600}, "services": {"stalled_after_s": 200}}
    watch.apply(Settings.model_validate({"data_dir": ".", **longer}))
    await watch.look(0, can_work=True)
    assert coordinator.calls == []
    assert Figure("overdue", "session weekly", 0) in watch.figures
    await watch.look(199_999, can_work=True)
    assert coordinator.calls == []
    await watch.look(200_000, can_work=True)
    assert coordinator.calls == [("replace", "weekly", "session-1")]


async def test_who_waits_for_an_answer_that_may_still_come_has_not_stopped(
    coordinator: Coordinator,
) -> None:
    watch = Watched()
    settings = Settings.model_validate({"data_dir": ".", "services": {"timeout_s": 600}})
    watch.apply(settings)
    watch.dispatchers = {DISPATCHER: calls(3, 9)}
    await watch.look(0, can_work=True)
    longest_ms = round(settings.services.dispatch_timeout_s * 1000)
    assert longest_ms > 600_000
    await watch.look(longest_ms - 1, can_work=True)
    assert coordinator.calls == []
    await watch.look(longest_ms, can_work=True)
    assert coordinator.calls == [("restart_dispatcher", NODE)]


async def test_a_dispatcher_that_answers_again_is_no_longer_alarmed_of(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dispatcher:
        """Says nothing while it is stuck."""

        is_stuck = True

        @property
        def consumption(self) -> "Dispatcher":
            return self

        async def remote(self) -> DispatcherFigures:
            if self.is_stuck:
                await asyncio.Event().wait()
            return calls(0, 0)

    dispatcher = Dispatcher()
    actors = {DISPATCHER: dispatcher, COORDINATOR: coordinator}
    monkeypatch.setattr("actors.work_watch.ray.get_actor", lambda name, _: actors[name])
    monkeypatch.setattr("actors.names.list_named_actors", lambda: [DISPATCHER])
    monkeypatch.setattr(work_watch, "DISPATCHER_TIMEOUT_S", 0.01)
    watch = work_watch.WorkWatch(Settings(data_dir=Path()))
    for now_ms in range(work_watch.MISSED_PROBES):
        await watch.look(now_ms, can_work=True)
    assert watch.figures == (Figure("stopped_consuming", DISPATCHER, 1),)
    assert coordinator.calls == [("restart_dispatcher", NODE)]

    dispatcher.is_stuck = False
    await watch.look(10_000, can_work=True)
    assert Figure("stopped_consuming", DISPATCHER, 0) in watch.figures
    assert watch.probe.healthy


async def test_what_waits_is_added_up_over_sessions_and_dispatchers(
    coordinator: Coordinator,
) -> None:
    watch = Watched()
    watch.session_told("a", "session-1", session(7))
    watch.session_told("b", "session-2", session(7, chunks=3))
    watch.session_told("idle", "session-3", {"status": "idle"})
    watch.dispatchers = {DISPATCHER: calls(4, 9, lost=2)}
    await watch.look(0, can_work=True)
    assert watch.queues == {
        "chunks_waiting": 4,
        "translations_waiting": 4,
        "database_waiters": 0,
        "calls_under_way": 4,
        "calls_lost": 2,
    }
    assert coordinator.calls == []


class Slow:
    """A method that answers once it was called `calls` times; `meanwhile` happens at each call."""

    def __init__(self, calls: int, meanwhile: Callable[[], None]) -> None:
        self._left, self._meanwhile = calls, meanwhile
        self._all_came = asyncio.Event()
        self.answered: list[tuple[str, ...]] = []

    async def remote(self, *arguments: str) -> None:
        self._left -= 1
        self._meanwhile()
        if not self._left:
            self._all_came.set()
        await self._all_came.wait()
        self.answered.append(arguments)


async def test_many_that_stopped_together_are_replaced_at_once_while_others_tell(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watched()
    slow = Slow(3, lambda: watch.session_told("new", "session-9", session(0)))
    monkeypatch.setattr(coordinator, "replace", slow)
    monkeypatch.setattr(work_watch, "ACTION_TIMEOUT_S", 1)
    for number in range(3):
        watch.session_told(f"weekly-{number}", f"session-{number}", session(7))
    await watch.look(0, can_work=True)
    await watch.look(STALLED_AFTER_MS, can_work=True)
    assert len(slow.answered) == 3
