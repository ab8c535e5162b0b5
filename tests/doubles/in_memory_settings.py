"""The SettingsStore port in memory."""

from collections.abc import Sequence

from orchestration.config.versions import SettingsVersion
from orchestration.errors import Unavailable
from orchestration.storage.postgres_settings import not_next, unknown_settings
from orchestration.storage.settings_ports import VERSIONS_KEPT


class InMemorySettings:
    """Versions in a list, oldest first; nothing can be stored while `is_away`."""

    def __init__(self) -> None:
        self.versions: list[SettingsVersion] = []
        self.is_away = False

    async def newest_version(self) -> SettingsVersion | None:
        return self.versions[-1] if self.versions else None

    async def version(self, number: int) -> SettingsVersion:
        for one in self.versions:
            if one.number == number:
                return one
        raise unknown_settings(number)

    async def versions_page(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        found = [one for one in reversed(self.versions) if before is None or one.number < before]
        return found[:limit], found[limit - 1].number if len(found) > limit else None

    async def add_version(self, version: SettingsVersion) -> None:
        if self.is_away:
            raise Unavailable("The database is away.")
        if version.number != (self.versions[-1].number if self.versions else 0) + 1:
            raise not_next(version.number)
        self.versions = [*self.versions, version][-VERSIONS_KEPT:]
