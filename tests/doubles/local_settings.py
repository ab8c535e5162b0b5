"""The SettingsControl port in the process of the API itself."""

from collections.abc import Sequence

from orchestration.config.current import CurrentSettings
from orchestration.config.layers import Layers
from orchestration.config.versions import SettingsVersion
from orchestration.services.settings_desk import (
    AppliedSettings,
    SettingsChange,
    SettingsDesk,
    SettingsState,
)
from orchestration.storage.settings_ports import SettingsStore
from tests.doubles.in_memory_settings import InMemorySettings


class LocalSettings:
    """A desk whose changes the API's process takes up at once."""

    def __init__(self, current: CurrentSettings, store: SettingsStore | None = None) -> None:
        self.store = store or InMemorySettings()
        self.desk = SettingsDesk(Layers.of(current.now), self.store, current.take)

    async def state(self) -> SettingsState:
        return self.desk.state((AppliedSettings("here", self.desk.version, 0),))

    async def change(self, change: SettingsChange) -> SettingsVersion:
        return await self.desk.change(change)

    async def history(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        return await self.store.versions_page(before, limit)
