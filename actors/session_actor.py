"""One meeting's actor: a mailbox around a `SessionRunner`.

Imports neither `ray.serve` nor scipy nor pydantic: there is one process for each meeting, and its
memory counts. The engines are reached through the node's dispatcher.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import ray

from actors.dispatcher_engines import DispatcherEngines
from actors.names import COORDINATOR, NAMESPACE, ask
from actors.reports import Reports
from orchestration.errors import Unavailable
from orchestration.logs import configure_logs
from orchestration.metrics.meter import Meter
from orchestration.session.exchange import (
    IngestBatch,
    IngestReply,
    LiveBatch,
    LiveCursor,
    Notice,
    StreamPosition,
    Welcome,
)
from orchestration.session.inputs import ParticipantSighting, StreamSpec
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.runner import SessionRunner
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import Correction
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.pool import Pool, connect_pool, connection_waiters, sample_connections
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.recordings import Recordings

POOL_MAX_CONNECTIONS = 2
"""One for the sender's frames, one for everything else; PostgreSQL's connections are few."""


class SessionActor:
    """Starts idle in the warm pool; `activate` gives it its session, for the rest of its life.

    A session that fails inside begins anew here, as long as no other actor has claimed it; when the
    process dies, the coordinator gives the session to another.
    """

    def __init__(self, name: str, dsn: str, values: SessionValues, log_level: str) -> None:
        configure_logs(log_level)
        self._name = name
        self._dsn = dsn
        self._values = values
        self._version = 0
        self._pool: Pool | None = None
        self._journal: PostgresJournal | None = None
        self._runner: SessionRunner | None = None
        self._activation = asyncio.Lock()
        self._reports = Reports()
        self._reports.sample(self._sample)

    async def ready(self) -> str:
        """Answers once the process is up and the database has answered; the actor's name."""
        await self._connected()
        self._reports.start()
        return self._name

    async def activate(self, session_id: str) -> int:
        """Take a session, or keep it. Returns the epoch."""
        async with self._activation:
            if self._runner is None or self._runner.is_replaced:
                self._runner = await self._start(session_id)
            return self._runner.epoch

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        return await (await self._running()).connect(connection_id, streams)

    async def open_stream(self, connection_id: str, stream: StreamSpec) -> StreamPosition:
        return await (await self._running()).open_stream(connection_id, stream)

    async def push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        return await (await self._running()).push(connection_id, batch)

    async def notice(self, connection_id: str) -> Notice:
        return await (await self._running()).notice(connection_id)

    async def disconnect(self, connection_id: str) -> None:
        await (await self._running()).disconnect(connection_id)

    async def end(self) -> None:
        await (await self._running()).end()

    async def repair(self) -> int:
        return await (await self._running()).repair()

    async def sighted(self, sightings: Sequence[ParticipantSighting]) -> None:
        (await self._running()).sighted(sightings)

    async def correct(self, correction: Correction | None, corrected_by: str) -> int:
        return await (await self._running()).correct(correction, corrected_by)

    async def apply(self, version: int, values: SessionValues, log_level: str) -> int:
        """Work by this version of the settings from now on, unless a later one was here first.
        Returns the version that holds now."""
        if version >= self._version:
            configure_logs(log_level)
            self._version, self._values = version, values
            if self._runner is not None:
                self._runner.apply(values)
        return self._version

    async def configure(self) -> None:
        """Work by the settings and languages that are stored now."""
        await (await self._running()).configure()

    async def go_away(self, reason: str, retry_ms: int) -> None:
        """The service stops in `retry_ms`: tell the sender."""
        if self._runner is not None:
            self._runner.go_away(reason, retry_ms)

    async def events(self, cursor: LiveCursor) -> LiveBatch:
        return await (await self._running()).events(cursor)

    async def figures(self) -> dict[str, int | str]:
        """How the session is, and on which node; the supervisors' probe."""
        node_id = str(ray.get_runtime_context().get_node_id())
        if self._activation.locked():
            # However much there is to recover: a process that says so is not stuck.
            return {"status": "starting", "node_id": node_id}
        if self._runner is None and await (await self._connected()).claimed_by(self._name) is None:
            return {"status": "idle", "node_id": node_id}
        figures = (await self._running()).figures()
        return {**figures, "database_waiters": connection_waiters(), "node_id": node_id}

    def _sample(self, meter: Meter) -> None:
        if self._runner is not None:
            self._runner.sample()
        if self._pool is not None:
            sample_connections(meter, "session", self._pool)

    async def _running(self) -> SessionRunner:
        runner = self._runner
        if runner is not None and not runner.is_replaced:
            return runner
        async with self._activation:
            if self._runner is None or self._runner.is_replaced:
                session_id = await (await self._connected()).claimed_by(self._name)
                if session_id is None:
                    raise Unavailable("This actor has no open session; ask the coordinator again.")
                self._runner = await self._start(session_id)
            return self._runner

    async def _start(self, session_id: str) -> SessionRunner:
        if self._runner is not None:
            await self._runner.stop()
        journal = await self._connected()
        claim = await journal.claim(session_id, self._name)
        values = self._values
        recordings = Recordings(self._archive(), ChunkFileStore(Path(values.recordings_dir or "")))
        runner = SessionRunner(
            claim,
            journal,
            DispatcherEngines(),
            values,
            RecordingReader(session_id, recordings),
            _tell_coordinator(session_id),
            self._reports.meter,
        )
        await runner.start()
        # They may have changed meanwhile.
        runner.apply(self._values)
        return runner

    async def _connected(self) -> PostgresJournal:
        if self._journal is None:
            pool = await connect_pool(
                self._dsn, min_size=1, max_size=POOL_MAX_CONNECTIONS, connect_timeout_s=10
            )
            self._pool = pool
            self._journal = PostgresJournal(pool)
        return self._journal

    def _archive(self) -> PostgresArchive:
        assert self._pool is not None, "an actor connects before it starts a session"
        return PostgresArchive(self._pool)


def _tell_coordinator(session_id: str) -> Callable[[], Awaitable[None]]:
    async def tell() -> None:
        # The coordinator also finds ended sessions by itself; this only makes it sooner.
        try:
            coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
            await ask(coordinator.session_finished.remote(session_id), "coordinator")
        except (ValueError, Unavailable):
            return

    return tell
