"""Server-sent events of alerts: every change once, in order, from any number on.

Each stream reads the stored changes behind its own number, so that nothing is queued for it, and
a client that comes back, to whichever replica, misses nothing.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import structlog

from orchestration.api.places import Places
from orchestration.errors import OrchestrationError
from orchestration.health.alert_json import alert_json
from orchestration.storage.alert_ports import AlertChange, AlertLog

MAX_STREAMS = 100
"""Streams of one ingress replica; one more is refused with 429."""

LOOK_INTERVAL_S = 1.0
"""How often a replica with streams asks for the newest change, for all of them together."""

HEARTBEAT_S = 15.0
"""A stream with nothing to tell says so this often, so that nobody between takes it for dead."""

CHANGES_AT_ONCE = 100

_log = structlog.get_logger(__name__)


class AlertStreams:
    """The streams of one replica."""

    def __init__(self, log: AlertLog) -> None:
        self._log = log
        self.places = Places(
            MAX_STREAMS,
            "max_streams",
            f"{MAX_STREAMS} streams of alerts are open, as many as may be.",
        )
        self._newest = 0
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def begin(self, after: int | None) -> int:
        """The number behind which a stream tells: `after`, else the newest there is."""
        return await self._log.last_alert_change() if after is None else after

    async def events(self, after: int) -> AsyncIterator[str]:
        """The changes behind number `after` as server-sent events; its caller holds a place."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        # Where it begins, for a client that is cut off before the first event.
        yield f"retry: 3000\nid: {after}\n\n"
        while True:
            changed = self._changed
            changes = await self._stored(after)
            for change in changes:
                yield _event(change)
                after = change.number
            if changes:
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                yield ": nothing new\n\n"

    async def _stored(self, after: int) -> list[AlertChange]:
        try:
            return list(await self._log.alert_changes(after, CHANGES_AT_ONCE))
        except OrchestrationError as error:
            # The stream goes on where it is once the database is back.
            _log.warning("alerts_not_read", reason=error.message)
            await asyncio.sleep(LOOK_INTERVAL_S)
            return []

    async def _look(self) -> None:
        while self.places.taken:
            try:
                newest = await self._log.last_alert_change()
            except OrchestrationError as error:
                _log.warning("alerts_not_looked_at", reason=error.message)
            else:
                if newest != self._newest:
                    self._newest = newest
                    changed, self._changed = self._changed, asyncio.Event()
                    changed.set()
            await asyncio.sleep(LOOK_INTERVAL_S)


def _event(change: AlertChange) -> str:
    body = json.dumps(alert_json(change.alert), ensure_ascii=False, separators=(",", ":"))
    return f"id: {change.number}\nevent: {change.kind}\ndata: {body}\n\n"
