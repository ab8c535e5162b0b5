"""A pool that follows the settings; without Ray."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from actors.engine_pool import EngineChoice, EnginePool
from actors.reports import Reports
from orchestration.config.models import Settings
from orchestration.config.service_models import ServicesSettings, UpstreamSettings


class Pool:
    """Takes what it is given, but for the first time."""

    def __init__(self) -> None:
        self.applied: list[list[str]] = []
        self.fails = 1

    async def apply(self, upstreams: Sequence[Any]) -> None:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("no more sockets")
        self.applied.append([one.name for one in upstreams])

    def tune(self, **_: object) -> None:
        return


async def test_services_that_could_not_be_taken_up_are_taken_up_at_the_next_try(
    tmp_path: Path,
) -> None:
    def settings(url: str) -> Settings:
        services = ServicesSettings(whisper=(UpstreamSettings(kind="openai", url=url),))
        return Settings(data_dir=tmp_path, services=services)

    before, after = settings("http://one.example/v1"), settings("http://two.example/v1")
    pool = Pool()
    choice = EngineChoice(lambda one, _: (one.url, cast(Any, one)), before.services.whisper, 30)
    engines = EnginePool("whisper", choice, cast(Any, pool), Reports(), before)
    with pytest.raises(RuntimeError):
        await engines._take(1, after)
    await engines._take(1, after)
    assert pool.applied == [["http://two.example/v1"]]


async def test_a_timeout_that_could_not_be_taken_up_is_taken_up_at_the_next_try(
    tmp_path: Path,
) -> None:
    whisper = (UpstreamSettings(kind="openai", url="http://one.example/v1"),)
    before, after = (
        Settings(data_dir=tmp_path, services=ServicesSettings(whisper=whisper, timeout_s=timeout_s))
        for timeout_s in (30, 20)
    )
    pool, made = Pool(), list[float]()

    def make(one: UpstreamSettings, timeout_s: float) -> tuple[str, Any]:
        made.append(timeout_s)
        return one.url, cast(Any, one)

    choice = EngineChoice(make, whisper, 30)
    engines = EnginePool("whisper", choice, cast(Any, pool), Reports(), before)
    with pytest.raises(RuntimeError):
        await engines._take(1, after)
    for _ in range(2):
        await engines._take(1, after)
    assert pool.applied == [["http://one.example/v1"]]
    assert made == [30, 20, 20]
