"""The settings that hold in one process, and who is told when they change."""

from collections.abc import Callable

from orchestration.config.models import Settings


class CurrentSettings:
    """Read `now` where a value is needed, and keep what it gave for as long as it must stay."""

    def __init__(self, settings: Settings, version: int = 0) -> None:
        self.now = settings
        self.version = version
        self._listeners: list[Callable[[Settings], None]] = []

    def on_change(self, listener: Callable[[Settings], None]) -> None:
        """Have `listener` told of each change, after `now` has it."""
        self._listeners.append(listener)

    def take(self, version: int, settings: Settings) -> None:
        """From now on these hold."""
        self.now, self.version = settings, version
        for listener in self._listeners:
            listener(settings)
