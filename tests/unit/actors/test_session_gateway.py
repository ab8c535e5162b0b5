"""The running sessions as the edge sees them, when their actors die; without Ray."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import ray
from ray.exceptions import ActorDiedError

from actors.names import COORDINATOR
from actors.session_gateway import RaySessions
from orchestration.storage.values import SessionSpec
from tests.doubles.in_memory_archive import InMemoryArchive


class Method:
    def __init__(self, call: Callable[..., Awaitable[Any]]) -> None:
        self._call = call

    def remote(self, *arguments: object) -> Awaitable[Any]:
        return self._call(*arguments)


class Cluster:
    """A coordinator, a session's actor that is dead, and the one in its place."""

    def __init__(self) -> None:
        self.name = "session-1"
        self.configured: list[str] = []

    def find(self, name: str, namespace: str) -> Any:
        return self if name == COORDINATOR else Actor(self, name)

    @property
    def locate(self) -> Method:
        return Method(self._locate)

    @property
    def replace(self) -> Method:
        return Method(self._replace)

    async def _locate(self, session_id: str) -> str:
        return self.name

    async def _replace(self, session_id: str, actor_name: str) -> None:
        assert actor_name == self.name
        self.name = "session-2"


class Actor:
    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster, self._name = cluster, name

    @property
    def configure(self) -> Method:
        return Method(self._configure)

    async def _configure(self) -> None:
        if self._name == "session-1":
            raise ActorDiedError
        self._cluster.configured.append(self._name)


async def test_a_change_reaches_the_actor_in_the_place_of_one_that_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive, cluster = InMemoryArchive(), Cluster()
    monkeypatch.setattr(ray, "get_actor", cluster.find)
    await archive.create_session(SessionSpec("weekly", language="en"))
    row = await RaySessions(archive).configure("weekly", lambda spec: replace(spec, language="pt"))
    assert row.spec.language == "pt"
    assert cluster.configured == ["session-2"]
