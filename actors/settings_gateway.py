"""Where the edge changes settings: the coordinator, over Ray."""

from collections.abc import Sequence
from typing import Any

import ray

from actors.names import COORDINATOR, NAMESPACE, ask
from orchestration.config.versions import SettingsVersion
from orchestration.errors import Unavailable
from orchestration.services.settings_desk import SettingsChange, SettingsState


class RaySettings:
    """The SettingsControl port."""

    async def state(self) -> SettingsState:
        state: SettingsState = await _coordinate("settings_state")
        return state

    async def change(self, change: SettingsChange) -> SettingsVersion:
        version: SettingsVersion = await _coordinate("change_settings", change)
        return version

    async def history(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        page: tuple[Sequence[SettingsVersion], int | None] = await _coordinate(
            "settings_history", before, limit
        )
        return page


async def _coordinate(method: str, *arguments: object) -> Any:
    try:
        coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
    except ValueError as error:
        raise Unavailable("The coordinator is not there yet; ask again.") from error
    return await ask(getattr(coordinator, method).remote(*arguments), "coordinator")
