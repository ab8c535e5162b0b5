"""The running sessions as the edge sees them, over Ray."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import ray

from actors.names import COORDINATOR, HEALTH_MONITOR, NAMESPACE, ActorGone, ask
from orchestration.api.ports import SessionLink
from orchestration.errors import SessionEnded, Unavailable
from orchestration.health.report import HealthReport
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
from orchestration.speakers.corrections import CORRECTED_BY, Correction
from orchestration.storage.archive_ports import Archive
from orchestration.storage.erasure_ports import ErasureReceipt, Person, PersonAudio
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import SessionRow, SessionSpec

REPORT_TIMEOUT_S = 5.0
"""A monitor that has not reported by then is taken for away."""


class RaySessionLink:
    """One session's actor. A handle that fails is looked up again at the next call."""

    def __init__(self, sessions: "RaySessions", session_id: str, actor_name: str) -> None:
        self._sessions = sessions
        self._session_id = session_id
        self._actor_name = actor_name
        self._actor: Any = _find(actor_name)

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        answer: Welcome | Notice = await self._ask("connect", connection_id, list(streams))
        return answer

    async def open_stream(self, connection_id: str, stream: StreamSpec) -> StreamPosition:
        position: StreamPosition = await self._ask("open_stream", connection_id, stream)
        return position

    async def push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        reply: IngestReply = await self._ask("push", connection_id, batch)
        return reply

    async def notice(self, connection_id: str) -> Notice:
        notice: Notice = await self._ask("notice", connection_id)
        return notice

    async def disconnect(self, connection_id: str) -> None:
        await self._ask("disconnect", connection_id)

    async def end(self) -> None:
        """End the session as if its sender had said so."""
        await self._ask("end")

    async def configure(self) -> None:
        """Work by the settings and languages that are stored now."""
        await self._ask("configure")

    async def events(self, cursor: LiveCursor) -> LiveBatch:
        batch: LiveBatch = await self._ask("events", cursor)
        return batch

    async def _ask(self, method: str, *arguments: object) -> Any:
        actor = await self._found()
        try:
            return await ask(getattr(actor, method).remote(*arguments), "session")
        except ActorGone:
            self._actor = None
            # Sooner than Ray would start it again: another actor waits, warm.
            await self._sessions.replace(self._session_id, self._actor_name)
            raise
        except Unavailable:
            self._actor = None
            raise

    async def _found(self) -> Any:
        if self._actor is None:
            name = await self._sessions.locate(self._session_id)
            if name is None:
                raise Unavailable("The session has ended.", {"session_id": self._session_id})
            self._actor_name = name
            self._actor = _find(name)
            if self._actor is None:
                await self._sessions.replace(self._session_id, name)
                raise Unavailable("The session's actor is not there yet; ask again.")
        return self._actor


class RaySessions:
    """Sessions by way of the coordinator; health by way of the monitor."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def create(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        created: tuple[SessionRow, bool] = await self._coordinate("create", spec, upload)
        return created

    async def link(self, session_id: str) -> SessionLink | None:
        name = await self.locate(session_id)
        return None if name is None else RaySessionLink(self, session_id, name)

    async def locate(self, session_id: str) -> str | None:
        """The name of the session's actor, None when it has ended."""
        name: str | None = await self._coordinate("locate", session_id)
        return name

    async def replace(self, session_id: str, actor_name: str) -> None:
        """The session's actor of this name does not answer: have another in its place."""
        await self._coordinate("replace", session_id, actor_name)

    async def end(self, session_id: str) -> SessionRow:
        name = await self.locate(session_id)
        if name is not None:
            await RaySessionLink(self, session_id, name).end()
        return await self._archive.session(session_id)

    async def configure(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        name = await self.locate(session_id)
        if name is None:
            raise SessionEnded("The session has ended.", {"session_id": session_id})
        row = await self._archive.configure_session(session_id, change)
        link = RaySessionLink(self, session_id, name)
        try:
            await link.configure()
        except ActorGone:
            # Its successor may have read the description before it was changed.
            await link.configure()
        return row

    async def repair(self, session_id: str) -> int:
        actor = await self._opened(session_id)
        ranges: int = await ask(actor.repair.remote(), "session")
        return ranges

    async def correct(
        self, session_id: str, correction: Correction | None, corrected_by: str = CORRECTED_BY
    ) -> int:
        actor = await self._opened(session_id)
        repainted: int = await ask(actor.correct.remote(correction, corrected_by), "session")
        return repainted

    async def _opened(self, session_id: str) -> Any:
        """The actor of a session, be it over or not."""
        name: str = await self._coordinate("open_for_repair", session_id)
        actor = _find(name)
        if actor is None:
            raise Unavailable("The session's actor is not there yet; ask again.")
        return actor

    async def delete(self, session_id: str) -> ErasureReceipt:
        receipt: ErasureReceipt = await self._coordinate("delete", session_id)
        return receipt

    async def erase_person(self, person: Person, audio: PersonAudio) -> ErasureReceipt:
        receipt: ErasureReceipt = await self._coordinate("erase_person", person, audio)
        return receipt

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
