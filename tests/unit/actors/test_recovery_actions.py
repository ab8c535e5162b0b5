"""What the coordinator does about an expired session; without Ray."""

from typing import Any, cast

import pytest

from actors import recovery_actions
from actors.placement import Placement
from actors.recovery_actions import RecoveryActions
from orchestration.errors import Unavailable
from orchestration.health.recovery import POLICIES, RecoveryBook

POLICY = POLICIES["end_expired_session"]


class Actor:
    """The session's actor, which ends its session or cannot."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: Exception | None = None
        self.end = self

    def remote(self) -> Any:
        self.asked += 1
        return self._end()

    async def _end(self) -> None:
        if self.failure is not None:
            raise self.failure


class Bench:
    """Recovery actions whose clock and session actor are the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 1_000_000
        self.actor = Actor()
        self.open = {"weekly": "session-1"}
        monkeypatch.setattr(recovery_actions, "monotonic_ms", lambda: self.now_ms)
        monkeypatch.setattr(recovery_actions, "session_actor", lambda _: self.actor)
        self.actions = RecoveryActions(RecoveryBook(), cast(Placement, self))

    async def expire(self, actor_name: str = "session-1") -> None:
        await self.actions.session_expired("weekly", actor_name)

    @property
    def state(self) -> str:
        report = self.actions.report()
        if report.escalated:
            return "escalated"
        return "recovering" if report.recovering else "well"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_an_expired_session_is_ended_by_its_actor_and_counted(bench: Bench) -> None:
    await bench.expire()
    assert bench.actor.asked == 1
    assert bench.actions.report().done["end_expired_session"] == 1
    assert bench.state == "recovering"
    # The monitor asks at every look; it is not done again before its pause is over.
    bench.now_ms += POLICY.first_pause_ms - 1
    await bench.expire()
    assert bench.actor.asked == 1
    bench.now_ms += POLICY.calm_ms
    assert bench.state == "well"


async def test_a_session_that_has_another_actor_by_now_is_left_alone(bench: Bench) -> None:
    await bench.expire("session-0")
    del bench.open["weekly"]
    await bench.expire()
    assert bench.actor.asked == 0
    assert bench.actions.report().done["end_expired_session"] == 0


async def test_an_actor_that_cannot_end_its_session_is_asked_again_and_then_escalated(
    bench: Bench,
) -> None:
    bench.actor.failure = Unavailable("The database is away.")
    for _ in range(POLICY.escalate_after):
        await bench.expire()
        bench.now_ms += POLICY.most_pause_ms
    assert bench.actor.asked == POLICY.escalate_after
    assert bench.actions.report().failed["end_expired_session"] == POLICY.escalate_after
    assert bench.state == "escalated"
