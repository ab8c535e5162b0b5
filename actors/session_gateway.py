"""The running sessions as the edge sees them, over Ray."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import ray

from actors.names import COORDINATOR, HEALTH_MONITOR, NAMESPACE, ask
from orchestration.api.ports import HealthReport, SessionLink
from orchestration.errors import Unavailable
from orchestration.session.exchange import (
    IngestBatch,
    IngestReply,
    LiveBatch,
    LiveCursor,
    Notice,
    StreamPosition,
    Welcome,
)
from orchestration.session.inputs import StreamSpec
from orchestration.storage.ports import Archive, SessionRow, SessionSpec

Answer = TypeVar("Answer")

REPORT_TIMEOUT_S = 5.0
"""A monitor that has not reported by then is taken for away."""


class RaySessionLink:
    """One session's actor. A handle that fails is looked up again at the next call."""

    def __init__(self, sessions: "RaySessions", session_id: str, actor_name: str) -> None:
        self._sessions = sessions
        self._session_id = session_id
        self._actor: Any = _find(actor_name)

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        actor = await self._found()
        return await self._ask(actor.connect.remote(connection_id, list(streams)))

    async def open_stream(self, connection_id: str, stream: StreamSpec) -> StreamPosition:
        actor = await self._found()
        return await self._ask(actor.open_stream.remote(connection_id, stream))

    async def push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        actor = await self._found()
        return await self._ask(actor.push.remote(connection_id, batch))

    async def notice(self, connection_id: str) -> Notice:
        actor = await self._found()
        return await self._ask(actor.notice.remote(connection_id))

    async def disconnect(self, connection_id: str) -> None:
        actor = await self._found()
        await self._ask(actor.disconnect.remote(connection_id))

    async def end(self) -> None:
        """End the session as if its sender had said so."""
        actor = await self._found()
        await self._ask(actor.end.remote())

    async def events(self, cursor: LiveCursor) -> LiveBatch:
        actor = await self._found()
        return await self._ask(actor.events.remote(cursor))

    async def _found(self) -> Any:
        if self._actor is None:
            name = await self._sessions.locate(self._session_id)
            if name is None:
                raise Unavailable("The session has ended.", {"session_id": self._session_id})
            self._actor = _find(name)
            if self._actor is None:
                raise Unavailable("The session's actor is not there yet; ask again.")
        return self._actor

    async def _ask(self, answer: Awaitable[Answer]) -> Answer:
        try:
            return await ask(answer, "session")
        except Unavailable:
            self._actor = None
            raise


class RaySessions:
    """Sessions by way of the coordinator; health by way of the monitor."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def create(self, spec: SessionSpec) -> tuple[SessionRow, bool]:
        created: tuple[SessionRow, bool] = await self._coordinate("create", spec)
        return created

    async def link(self, session_id: str) -> SessionLink | None:
        name = await self.locate(session_id)
        return None if name is None else RaySessionLink(self, session_id, name)

    async def locate(self, session_id: str) -> str | None:
        """The name of the session's actor, None when it has ended."""
        name: str | None = await self._coordinate("locate", session_id)
        return name

    async def end(self, session_id: str) -> SessionRow:
        name = await self.locate(session_id)
        if name is not None:
            await RaySessionLink(self, session_id, name).end()
        return await self._archive.session(session_id)

    async def repair(self, session_id: str) -> int:
        name: str = await self._coordinate("open_for_repair", session_id)
        actor = _find(name)
        if actor is None:
            raise Unavailable("The session's actor is not there yet; ask again.")
        ranges: int = await ask(actor.repair.remote(), "session")
        return ranges

    async def delete(self, session_id: str) -> None:
        await self._coordinate("delete", session_id)

    async def health(self) -> HealthReport:
        """The monitor's latest report.

        Raises:
            Unavailable: the monitor is away.
        """
        try:
            async with asyncio.timeout(REPORT_TIMEOUT_S):
                monitor = ray.get_actor(HEALTH_MONITOR, NAMESPACE)
                report: HealthReport = await ask(monitor.report.remote(), "health monitor")
                return report
        except (TimeoutError, ValueError) as error:
            raise Unavailable("The health monitor is not answering.") from error

    async def _coordinate(self, method: str, *arguments: object) -> Any:
        coordinator = _find(COORDINATOR)
        if coordinator is None:
            raise Unavailable("The coordinator is not there yet; ask again.")
        return await ask(getattr(coordinator, method).remote(*arguments), "coordinator")


def _find(name: str) -> Any:
    """An actor by name, None when there is none."""
    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError:
        return None
