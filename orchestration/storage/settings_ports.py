"""What is stored of settings, and the port to it."""

from collections.abc import Sequence
from typing import Protocol

from orchestration.config.versions import SettingsVersion

VERSIONS_KEPT = 1000
"""Of the settings; older ones are removed when another is added."""


class SettingsStore(Protocol):
    """Versions of the settings. All raise DatabaseUnavailable when PostgreSQL is away."""

    async def newest_version(self) -> SettingsVersion | None:
        """The last one, None before the first change."""
        ...

    async def version(self, number: int) -> SettingsVersion:
        """Raises UnknownSettings: there is none of this number, or no longer."""
        ...

    async def versions_page(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        """Versions with numbers below `before`, newest first, and where the next page starts."""
        ...

    async def add_version(self, version: SettingsVersion) -> None:
        """Store the version that follows the newest.

        Raises:
            SettingsConflict: its number is not the next one.
        """
        ...
