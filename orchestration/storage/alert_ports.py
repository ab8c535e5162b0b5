"""What is stored of alerts, and the ports to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from orchestration.health.alerts import Alert

AlertState: TypeAlias = Literal["open", "all"]
AlertChangeKind: TypeAlias = Literal["raised", "cleared"]
PostOutcome: TypeAlias = Literal["delivered", "given_up", "dropped"]


@dataclass(frozen=True, slots=True)
class AlertChange:
    """An alert was raised or cleared; numbers rise in the order of the changes."""

    number: int
    kind: AlertChangeKind
    unix_ms: int
    alert: Alert
    """As it was just after the change."""


@dataclass(frozen=True, slots=True)
class AlertPost:
    """A change on its way to one webhook; `tries` counts this one."""

    change: AlertChange
    webhook: str
    tries: int


class AlertLog(Protocol):
    """Reading what was told. All raise DatabaseUnavailable when PostgreSQL is away."""

    async def alerts_page(
        self, state: AlertState, before: int | None, limit: int
    ) -> tuple[Sequence[Alert], int | None]:
        """Alerts with numbers below `before`, newest first, and where the next page starts."""
        ...

    async def alert_changes(self, after: int, limit: int) -> Sequence[AlertChange]:
        """Changes with numbers above `after`, oldest first."""
        ...

    async def last_alert_change(self) -> int:
        """The number of the newest change; 0 when there is none."""
        ...
