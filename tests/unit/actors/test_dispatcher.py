"""How long a dispatcher waits for a pool; without Ray."""

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest

from actors.dispatcher import Dispatcher
from actors.dispatcher_figures import NoAnswer
from orchestration.config.models import Settings
from orchestration.services.ports import TranscriptionRequest

REQUEST = TranscriptionRequest("s1", 0, 0, b"", "en", "")


class Pool:
    """Never answers; `waits_s` are what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits_s: list[float] = []
        self.transcribe = self
        monkeypatch.setattr("actors.dispatcher.SettingsFollower.start", lambda _: None)
        monkeypatch.setattr("actors.dispatcher.asyncio.timeout", self._timeout)

    def remote(self, *_: object) -> Any:
        return asyncio.sleep(0)

    def _timeout(self, wait_s: float) -> Any:
        self.waits_s.append(wait_s)
        return asyncio.Timeout(asyncio.get_running_loop().time())


@pytest.mark.parametrize("timeout_s", [30, 600])
async def test_a_dispatcher_waits_for_longer_than_its_pool_may_take(
    timeout_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(monkeypatch)
    with warnings.catch_warnings():
        # Ray Serve's own imports warn.
        warnings.simplefilter("ignore", DeprecationWarning)
        dispatcher = Dispatcher("app", 1)
    monkeypatch.setattr(dispatcher, "_handle", lambda _: pool)
    services = {"timeout_s": timeout_s}
    settings = Settings.model_validate({"data_dir": Path(), "services": services})
    await dispatcher.take(1, settings)
    with pytest.raises(NoAnswer):
        await dispatcher.transcribe(REQUEST)
    assert pool.waits_s == [settings.services.dispatch_timeout_s]
    assert pool.waits_s[0] > timeout_s
