"""The AlertLog port in memory."""

from collections.abc import Sequence

from orchestration.health.alerts import Alert
from orchestration.storage.alert_ports import AlertChange, AlertState


class InMemoryAlertLog:
    """Changes that tests put in `changes`, and the alerts as they are after them."""

    def __init__(self) -> None:
        self.changes: list[AlertChange] = []

    async def alerts_page(
        self, state: AlertState, before: int | None, limit: int
    ) -> tuple[Sequence[Alert], int | None]:
        newest = {change.alert.alert_id or 0: change.alert for change in self.changes}
        found = [
            alert
            for number, alert in sorted(newest.items(), reverse=True)
            if (before is None or number < before)
            and (state == "all" or alert.cleared_unix_ms is None)
        ]
        return found[:limit], found[limit - 1].alert_id if len(found) > limit else None

    async def alert_changes(self, after: int, limit: int) -> Sequence[AlertChange]:
        return [change for change in self.changes if change.number > after][:limit]

    async def last_alert_change(self) -> int:
        return self.changes[-1].number if self.changes else 0
