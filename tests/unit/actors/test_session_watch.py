"""What the monitor makes of session actors that die, hang or have nothing; without Ray."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actors import session_watch
from actors.session_watch import STUCK_AFTER_PROBES, SessionWatch
from actors.work_watch import WorkWatch
from orchestration.config.models import Settings
from orchestration.errors import Unavailable
from orchestration.health.alerts import Alert, AlertBook
from orchestration.health.figures import part_figures
from orchestration.services.health import HealthBook

SECOND = 1000


class Method:
    """A method of an actor; `answer` is what it answers, an error, or None to hang."""

    def __init__(self, calls: list[tuple[str, ...]], name: str, answer: Any) -> None:
        self._calls, self._name, self._answer = calls, name, answer

    def remote(self, *arguments: str) -> Any:
        self._calls.append((self._name, *arguments))

        async def answered() -> Any:
            if self._answer is None:
                await asyncio.Event().wait()
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return answered()


class Cluster:
    """A coordinator that knows one session, and the session's actor."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.figures: Any = None
        self.is_dead = False

    def actor(self, name: str, _: str) -> Any:
        if name == "session-1" and self.is_dead:
            raise ValueError(name)
        return self

    def __getattr__(self, name: str) -> Method:
        answers = {"open_sessions": {"weekly": "session-1"}}
        return Method(self.calls, name, answers.get(name, "done"))

    @property
    def acted(self) -> list[tuple[str, ...]]:
        """What the coordinator was asked to do."""
        return [call for call in self.calls if call[0] not in ("open_sessions", "figures")]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()

    def get_actor(name: str, namespace: str) -> Any:
        found = made.actor(name, namespace)
        return Actor(made) if name == "session-1" else found

    monkeypatch.setattr("actors.session_watch.ray.get_actor", get_actor)
    monkeypatch.setattr(session_watch, "PROBE_TIMEOUT_S", 0.001)
    return made


class Actor:
    """The session's, which answers what the cluster says."""

    def __init__(self, cluster: Cluster) -> None:
        self.figures = Method(cluster.calls, "figures", cluster.figures)


@pytest.fixture
def watch() -> SessionWatch:
    return SessionWatch(WorkWatch(Settings(data_dir=Path())))


async def test_a_stuck_actor_is_replaced_once_it_missed_its_probes(
    cluster: Cluster, watch: SessionWatch
) -> None:
    for _ in range(STUCK_AFTER_PROBES - 1):
        assert (await watch.look()).healthy
        assert cluster.acted == []
    probe = await watch.look()
    assert (probe.healthy, probe.detail) == (False, "1 stuck")
    assert cluster.acted == [("replace", "weekly", "session-1")]
    assert watch.statuses == {"session-1": "silent"}


async def test_a_stuck_actor_is_only_alarmed_of_without_recovery(
    cluster: Cluster, watch: SessionWatch
) -> None:
    health, alerts = HealthBook(), AlertBook()
    raised: list[Alert] = []
    for look in range(STUCK_AFTER_PROBES + 3):
        health.record(await watch.look(acts=False), look * SECOND)
        raised += alerts.observe(part_figures(health.services), look * SECOND)
    assert cluster.acted == []
    assert [(one.code, one.level, one.subject) for one in raised] == [
        ("part_unhealthy", "critical", "sessions")
    ]
    # It answers again: nothing was done, and nothing is left to tell.
    cluster.figures = {"status": "starting"}
    for look in range(10, 12):
        health.record(await watch.look(acts=False), look * SECOND)
    (cleared,) = alerts.observe(part_figures(health.services), 12 * SECOND)
    assert (cleared.code, cleared.cleared_unix_ms) == ("part_unhealthy", 12 * SECOND)
    assert cluster.acted == []


async def test_what_died_is_replaced_even_without_recovery(
    cluster: Cluster, watch: SessionWatch
) -> None:
    cluster.is_dead = True
    await watch.look(acts=False)
    assert cluster.acted == [("replace", "weekly", "session-1")]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"status": "completed"}, ("session_finished", "weekly")),
        ({"status": "idle"}, ("session_lost", "weekly", "session-1")),
        (Unavailable("It has no database."), ("session_lost", "weekly", "session-1")),
    ],
    ids=["over", "idle", "failing"],
)
async def test_the_coordinator_hears_of_actors_without_a_session(
    cluster: Cluster, watch: SessionWatch, figures: Any, told: tuple[str, ...]
) -> None:
    cluster.figures = figures
    assert (await watch.look()).healthy
    assert cluster.acted == [told]
