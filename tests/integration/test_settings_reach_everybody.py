"""Settings on their way to session actors and followers, over PostgreSQL, without Ray between."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import ray

from actors import settings_keeper
from actors.settings_follower import SettingsFollower
from actors.settings_keeper import SettingsKeeper
from orchestration.config.current import CurrentSettings
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.errors import Unavailable
from orchestration.services.settings_desk import SettingsChange
from orchestration.session.values import SessionValues
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect_pool
from tests.database import temporary_server

LONGER = SettingsChange("ana", patch={"sessions": {"chunking": {"chunk_ms": 5000}}})


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with temporary_server() as started:
        yield started


class Remote:
    """A method of an actor as Ray gives it."""

    def __init__(self, method: Any) -> None:
        self.remote = method


class DeafActor:
    """A session's actor that does not hear what it is told `deaf` times."""

    def __init__(self, deaf: int = 0) -> None:
        self._deaf = deaf
        self.values: list[SessionValues] = []
        self.apply = Remote(self._apply)

    async def _apply(self, version: int, values: SessionValues, level: str) -> int:
        self._deaf -= 1
        if self._deaf >= 0:
            raise Unavailable("The actor does not answer.")
        self.values.append(values)
        return version


class Stage:
    """A keeper, its session actors, and a process that follows it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = Settings(data_dir=folder)
        self.actors: dict[str, DeafActor] = {}
        self.here = CurrentSettings(settings)
        self.there = CurrentSettings(settings)
        self.keeper = SettingsKeeper(Layers.of(settings), self.here.take, lambda: self.actors)
        self.settings_after = Remote(self._after)
        self.follower = SettingsFollower("ingress", self._follow)
        monkeypatch.setattr(settings_keeper, "TELL_INTERVAL_S", 0.01)
        monkeypatch.setattr(ray, "get_actor", lambda name, _: self.actors.get(name, self))

    async def applied_by(self, version: int, processes: int) -> None:
        """Until so many processes, and all there are, work by a version."""
        async with asyncio.timeout(60):
            while True:
                applied = self.keeper.state().applied
                if len(applied) == processes and {one.version for one in applied} == {version}:
                    return
                await asyncio.sleep(0.01)

    async def _after(self, process: str, version: int) -> tuple[int, Settings] | None:
        return self.keeper.after(process, version)

    async def _follow(self, version: int, settings: Settings) -> None:
        self.there.take(version, settings)


@asynccontextmanager
async def kept(stage: Stage, dsn: str) -> AsyncIterator[None]:
    await migrate(dsn, connect_timeout_s=10)
    pool = await connect_pool(dsn, min_size=1, max_size=2, connect_timeout_s=10)
    await pool.execute("TRUNCATE bot_sessions.settings_versions")
    await stage.keeper.begin(pool)
    running = [asyncio.create_task(stage.keeper.run())]
    running.append(asyncio.create_task(stage.keeper.watch_file()))
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await pool.close()


@pytest.fixture
async def stage(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path, monkeypatch)
    async with kept(stage, dsn):
        yield stage


async def test_a_change_reaches_session_actors_that_were_deaf_at_first(stage: Stage) -> None:
    stage.actors = {"session-1": DeafActor(), "session-2": DeafActor(deaf=3)}
    await stage.keeper.change(LONGER)
    await stage.applied_by(1, processes=3)
    for actor in stage.actors.values():
        assert actor.values[-1].chunking.chunk_ms == 5000
    assert stage.here.now.sessions.chunking.chunk_ms == 5000


async def test_an_actor_that_comes_later_has_what_holds_and_one_that_goes_is_forgotten(
    stage: Stage,
) -> None:
    stage.actors = {"session-1": DeafActor()}
    await stage.keeper.change(LONGER)
    await stage.applied_by(1, processes=2)
    stage.actors = {"session-2": DeafActor()}
    await stage.applied_by(1, processes=2)
    assert stage.actors["session-2"].values[-1].chunking.chunk_ms == 5000


async def test_a_process_that_follows_takes_up_what_is_new_and_says_so(stage: Stage) -> None:
    await stage.follower.look()
    assert stage.there.version == 0
    await stage.keeper.change(LONGER)
    await stage.follower.look()
    assert stage.there.now.sessions.chunking.chunk_ms == 5000
    await stage.follower.look()
    await stage.applied_by(1, processes=2)


async def test_what_cannot_be_taken_up_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(version: int, settings: Settings) -> None:
        raise RuntimeError("not now")

    await stage.keeper.change(LONGER)
    monkeypatch.setattr(stage.follower, "_take", refuse)
    with pytest.raises(RuntimeError):
        await stage.follower.look()
    monkeypatch.setattr(stage.follower, "_take", stage._follow)
    await stage.follower.look()
    assert stage.there.version == 1
