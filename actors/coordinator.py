"""Creates, lists, ends and reaps sessions, and keeps warm actors for new ones.

Holds nothing that PostgreSQL and Ray's named actors do not know: after a restart it reads both
again. Sessions go on without it.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from actors.meet_watch import MeetWatch
from actors.names import SESSION_PREFIX, named_actors
from actors.oversight import Oversight
from actors.placement import Placement
from actors.recovery_actions import RecoveryActions
from actors.reports import Reports
from actors.settings_keeper import SettingsKeeper
from actors.upkeep import Upkeep
from orchestration.config.current import CurrentSettings
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.config.versions import SettingsVersion
from orchestration.health.integrations import Integration
from orchestration.health.recovery import RecoveryBook, RecoveryReport
from orchestration.logs import configure_logs
from orchestration.metrics.catalogue import SESSIONS_CREATED
from orchestration.services.settings_desk import SettingsChange, SettingsState
from orchestration.session.status import OPEN_STATUSES
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasing import Erasing
from orchestration.storage.erasure_ports import ErasureReceipt, Person, PersonAudio
from orchestration.storage.pool import Pool, connect_pool, sample_connections
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import SessionRow, SessionSpec

log = structlog.get_logger(__name__)

TOP_UP_AFTER_S = 2.0
"""From a replacement to the start of another warm actor, which takes a second of two cores: the
session that has just moved needs them more."""


class Coordinator:
    """The one actor that gives sessions their actors."""

    def __init__(self, layers: Layers, dsn: str, application: str) -> None:
        """`application` is the Serve application with the engines' deployments."""
        settings = layers.settings()
        configure_logs(settings.log_level)
        self._current = CurrentSettings(settings)
        self._dsn = dsn
        self._pool: Pool | None = None
        self._archive: PostgresArchive | None = None
        self._meet_watch = MeetWatch(settings.google_meet)
        self._reports = Reports("coordinator")
        recovery = RecoveryBook()
        self._placement = Placement(self._current, dsn, self._reports.meter, recovery)
        self._oversight = Oversight(application, self._current, self._placement)
        self._actions = RecoveryActions(recovery, self._placement)
        self._settings = SettingsKeeper(layers, self._take, lambda: self._placement.actors)
        self._begun = asyncio.Lock()
        self._is_ready = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def ready(self) -> None:
        """Answers once the coordinator knows all open sessions and keeps watch.

        Raises:
            DatabaseUnavailable: ask again; nothing is decided without the database.
        """
        async with self._begun:
            if not self._is_ready:
                await self._take_stock()
                self._is_ready = True
                self._reports.start()
                self._spawn(self._oversight.run())
                assert self._pool is not None, "taking stock connects"
                upkeep = Upkeep(self._current, self._pool)
                self._spawn(upkeep.run(self._placement.open, self._placement.dismiss))
                self._spawn(self._settings.run())
                self._spawn(self._settings.watch_file())
                self._spawn(self._meet_watch.run(self._pool, self._placement.open))

    async def create(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        """Store a session, with the file that it is made for, and give it an actor; the same spec
        again finds it (False).

        Raises:
            LimitReached: as many sessions are open as may be.
            SessionConflict: it exists with another description.
            RepeatUnderWay: the file's key is another file's.
            Unavailable: it is stored, and no actor could take it yet; ask again.
        """
        await self.ready()
        archive = await self._connected()
        with self._placement.room_for(spec.session_id):
            row, created = await archive.create_session(spec, upload)
            if created:
                self._reports.meter.count(SESSIONS_CREATED)
            if row.status in OPEN_STATUSES:
                await self._place(spec.session_id)
        return (await archive.session(spec.session_id) if created else row), created

    async def locate(self, session_id: str) -> str | None:
        """The name of a session's actor; None when the session has ended for good.

        Raises:
            UnknownSession: no session has this id.
        """
        await self.ready()
        if session_id in self._placement.open:
            return self._placement.open[session_id]
        row = await (await self._connected()).session(session_id)
        return await self._place(session_id) if row.status in OPEN_STATUSES else None

    async def replace(self, session_id: str, actor_name: str) -> None:
        """A session's actor is dead or stuck: give the session another.

        Raises:
            Unavailable: there is none yet; ask for the session's place again.
        """
        await self.ready()
        await self._placement.replace(session_id, actor_name)
        self._spawn(self._top_up_later())

    async def open_for_repair(self, session_id: str) -> str:
        """The actor of a session, which an ended one gets once more.

        Raises:
            UnknownSession: no session has this id.
        """
        await self.ready()
        row = await (await self._connected()).session(session_id)
        if self._placement.has_ended(session_id):
            self._placement.dismiss(session_id)
        return await self._place(session_id, keeps_trying=row.status in OPEN_STATUSES)

    async def session_finished(self, session_id: str) -> None:
        """A session's end is stored."""
        self._placement.session_ended(session_id)

    async def session_lost(self, session_id: str, actor_name: str) -> None:
        """A session's actor says that it has none.

        Raises:
            DatabaseUnavailable: ask again.
        """
        await self.ready()
        await self._actions.session_lost(await self._connected(), session_id, actor_name)

    async def session_expired(self, session_id: str, actor_name: str) -> None:
        """A session waits for its bot for longer than it may, and its actor has not ended it."""
        await self._actions.session_expired(session_id, actor_name)

    async def restart_dispatcher(self, node_id: str) -> bool:
        """The dispatcher of a node stopped working; False when it was restarted too lately."""
        return self._actions.restart_dispatcher(node_id)

    async def recovery(self) -> RecoveryReport:
        """What was done about what was broken, since the coordinator's start."""
        return self._actions.report()

    async def delete(self, session_id: str) -> ErasureReceipt:
        """End a session's actor and remove its files and rows."""
        await self.ready()
        return await self._erasing(await self._connected()).session(session_id)

    async def erase_person(self, person: Person, audio: PersonAudio) -> ErasureReceipt:
        """Take a person out of all sessions; actors of ended ones go before."""
        await self.ready()
        return await self._erasing(await self._connected()).person(person, audio)

    async def go_away(self, reason: str, retry_ms: int) -> int:
        """The service is about to stop: every session tells its sender to come back.

        Returns how many sessions were told.
        """
        return await self._placement.go_away(reason, retry_ms)

    async def open_sessions(self) -> dict[str, str]:
        """Actor names by open session."""
        await self.ready()
        return dict(self._placement.open)

    async def figures(self) -> dict[str, int]:
        """How many sessions and warm actors there are."""
        return {
            "open_sessions": len(self._placement.open),
            "warm_actors": self._placement.warm_actors,
        }

    async def integrations(self) -> tuple[Integration, ...]:
        """How the services are that meetings go on without."""
        return (self._meet_watch.integration,)

    async def settings_refused(self) -> dict[str, bool]:
        """Whether the configuration file, and what is stored, will not do as they are now."""
        return self._settings.refused()

    async def settings_state(self) -> SettingsState:
        """The settings and who has them."""
        await self.ready()
        return self._settings.state()

    async def change_settings(self, change: SettingsChange) -> SettingsVersion:
        """Change settings; answers when the change is stored, and on its way to everybody."""
        await self.ready()
        return await self._settings.change(change)

    async def settings_history(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        """A page of versions, newest first."""
        await self.ready()
        return await self._settings.history(before, limit)

    async def settings_after(self, process: str, version: int) -> tuple[int, Settings] | None:
        """What holds, unless that is the version that the process has."""
        return self._settings.after(process, version)

    def _take(self, version: int, settings: Settings) -> None:
        configure_logs(settings.log_level)
        self._current.take(version, settings)

    async def _top_up_later(self) -> None:
        await asyncio.sleep(TOP_UP_AFTER_S)
        self._placement.top_up()

    async def _place(self, session_id: str, *, keeps_trying: bool = True) -> str:
        name = await self._placement.place(session_id, keeps_trying=keeps_trying)
        self._placement.top_up()
        return name

    # Looking after what is there

    async def _take_stock(self) -> None:
        archive = await self._connected()
        assert self._pool is not None, "it is there with the archive"
        await self._settings.begin(self._pool)
        actor_by_session: dict[str, str | None] = {}
        cursor: str | None = None
        while True:
            page = await archive.sessions(OPEN_STATUSES, 200, cursor)
            actor_by_session.update({row.spec.session_id: row.actor_name for row in page.items})
            cursor = page.next_cursor
            if cursor is None:
                break
        self._placement.adopt(actor_by_session, named_actors(SESSION_PREFIX))
        self._oversight.ensure_dispatchers()
        self._spawn(self._placement.place_homeless())
        self._placement.top_up()
        log.info("coordinator_ready", open_sessions=len(actor_by_session))

    def _erasing(self, archive: PostgresArchive) -> Erasing:
        files = ChunkFileStore(self._current.now.recordings_dir)
        return Erasing(archive, files, self._placement.dismiss)

    async def _connected(self) -> PostgresArchive:
        if self._archive is None:
            database = self._current.now.database
            pool = await connect_pool(
                self._dsn,
                min_size=database.pool_min,
                max_size=database.pool_max,
                connect_timeout_s=database.connect_timeout_s,
            )
            self._pool = pool
            self._archive = PostgresArchive(pool)
            self._reports.sample(lambda meter: sample_connections(meter, "coordinator", pool))
        return self._archive

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", exc_info=task.exception())
