"""What the coordinator does before it knows its sessions; without Ray."""

import asyncio
import contextlib
import warnings
from pathlib import Path
from typing import Any

import pytest

from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.errors import DatabaseUnavailable

with warnings.catch_warnings():
    # Ray Serve is imported with the dispatcher, and its own imports warn.
    warnings.simplefilter("ignore", DeprecationWarning)
    from actors.coordinator import Coordinator


async def test_who_asks_while_the_coordinator_takes_stock_opens_no_second_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting: set[object] = set()
    most_at_once = 0

    async def connect(dsn: str, **options: Any) -> None:
        nonlocal most_at_once
        one = object()
        connecting.add(one)
        most_at_once = max(most_at_once, len(connecting))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        connecting.remove(one)
        raise DatabaseUnavailable("PostgreSQL cannot be used right now.")

    monkeypatch.setattr("actors.coordinator.connect_pool", connect)
    coordinator = Coordinator(Layers.of(Settings(data_dir=tmp_path)), "", "app")

    async def ask(question: Any) -> None:
        with contextlib.suppress(DatabaseUnavailable):
            await question

    await asyncio.gather(
        ask(coordinator.ready()), ask(coordinator.session_lost("weekly", "session-1"))
    )
    assert most_at_once == 1
