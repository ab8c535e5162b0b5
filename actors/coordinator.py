"""Creates, lists, ends and reaps sessions, and keeps warm actors for new ones.

Holds nothing that PostgreSQL and Ray's named actors do not know: after a restart it reads both
again. Sessions go on without it.
"""

import asyncio
import contextlib
import hashlib
import json
import time
import uuid
from collections import deque
from collections.abc import Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import ray
import structlog
from ray.util import list_named_actors
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.dispatcher import Dispatcher
from actors.names import NAMESPACE, SESSION_PREFIX, ask, dispatcher_name
from actors.session_actor import SessionActor
from orchestration.config.models import Settings
from orchestration.config.session_values import session_values
from orchestration.errors import LimitReached, OrchestrationError, Unavailable
from orchestration.logs import configure_logs
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.pool import connect_pool
from orchestration.storage.ports import OPEN_STATUSES, SessionRow, SessionSpec
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.recordings import Recordings

log = structlog.get_logger(__name__)

SWEEP_INTERVAL_S = 5.0
"""How often dispatchers, warm actors and ended sessions are looked after."""

EXPIRE_INTERVAL_S = 3600.0
"""How often recordings past their retention are removed."""

ENDED_GRACE_S = 15.0
"""An ended session's actor stays this long, so that everybody connected hears of the end."""

DISPATCH_TIMEOUT_S = 120.0
"""Bound of one engine request in all, waiting for a free engine included."""

ACTIVATION_TIMEOUT_S = 60.0
"""An actor that has not taken its session by then is replaced."""

SESSION_CPUS = 0.0001
"""What Ray counts for a session's actor: it throws dice for those that ask for none at all."""


class Coordinator:
    """The one actor that gives sessions their actors."""

    def __init__(self, settings: Settings, dsn: str, application: str) -> None:
        """`application` is the Serve application with the engines' deployments."""
        self._application = application
        configure_logs(settings.log_level)
        self._settings = settings
        self._dsn = dsn
        self._archive: PostgresArchive | None = None
        self._open: dict[str, str] = {}
        self._warm: deque[str] = deque()
        self._placing: dict[str, asyncio.Future[str]] = {}
        self._ended: dict[str, float] = {}
        self._expire_at = 0.0
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
                self._spawn(self._keep_watch())

    async def create(self, spec: SessionSpec) -> tuple[SessionRow, bool]:
        """Store a session and give it an actor; the same spec again finds it (False)."""
        await self.ready()
        archive = await self._connected()
        limit = self._settings.sessions.max_open
        if len(self._open) >= limit and spec.session_id not in self._open:
            raise LimitReached(
                f"{limit} sessions are open, as many as max_open allows; end some first.",
                {"max_open": limit},
            )
        row, created = await archive.create_session(spec, _description_hash(spec))
        if row.status in OPEN_STATUSES:
            await self._placed(spec.session_id)
        return (await archive.session(spec.session_id) if created else row), created

    async def locate(self, session_id: str) -> str | None:
        """The name of a session's actor; None when the session has ended for good.

        Raises:
            UnknownSession: no session has this id.
        """
        await self.ready()
        if session_id in self._open:
            return self._open[session_id]
        if session_id in self._ended:
            return None
        row = await (await self._connected()).session(session_id)
        return await self._placed(session_id) if row.status in OPEN_STATUSES else None

    async def open_for_repair(self, session_id: str) -> str:
        """The actor of a session, which an ended one gets once more.

        Raises:
            UnknownSession: no session has this id.
        """
        await self.ready()
        await (await self._connected()).session(session_id)
        if session_id in self._ended:
            self._dismiss(session_id)
        return await self._placed(session_id)

    async def session_finished(self, session_id: str) -> None:
        """A session's end is stored."""
        if session_id in self._open:
            self._ended.setdefault(session_id, time.monotonic() + ENDED_GRACE_S)

    async def delete(self, session_id: str) -> None:
        """End a session's actor and remove its files and rows."""
        await self.ready()
        archive = await self._connected()
        await archive.session(session_id)
        self._dismiss(session_id)
        recordings = self._recordings(archive)
        # Before the rows, so that a deletion cut short can be asked for again; and after them,
        # for what the actor was writing when it was ended.
        await recordings.remove_files(session_id)
        removed = await archive.delete_session(session_id)
        await recordings.remove_files(session_id)
        log.info("session_deleted", session_id=session_id, rows=sum(removed.values()))

    async def go_away(self, reason: str, retry_ms: int) -> None:
        """The service is about to stop: every session tells its sender to come back."""
        told = []
        for name in self._open.values():
            with contextlib.suppress(Unavailable):
                told.append(_actor(name).go_away.remote(reason, retry_ms))
        await asyncio.gather(*told, return_exceptions=True)

    async def open_sessions(self) -> dict[str, str]:
        """Actor names by open session."""
        await self.ready()
        return dict(self._open)

    async def figures(self) -> dict[str, int]:
        """How many sessions and warm actors there are."""
        return {"open_sessions": len(self._open), "warm_actors": len(self._warm)}

    # Placing sessions

    async def _placed(self, session_id: str) -> str:
        """The actor of an open session, found or made; callers at once share one."""
        if session_id in self._open:
            return self._open[session_id]
        under_way = self._placing.get(session_id)
        if under_way is not None:
            return await asyncio.shield(under_way)
        placing: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._placing[session_id] = placing
        try:
            name = self._warm.popleft() if self._warm else await self._new_actor()
            async with asyncio.timeout(ACTIVATION_TIMEOUT_S):
                await ask(_actor(name).activate.remote(session_id), "session's actor")
        except Exception as error:
            placing.set_exception(error)
            placing.exception()
            raise
        else:
            self._open[session_id] = name
            placing.set_result(name)
            self._spawn(self._top_up())
            return name
        finally:
            del self._placing[session_id]

    async def _new_actor(self) -> str:
        name = f"{SESSION_PREFIX}{uuid.uuid4().hex[:12]}"
        actor: Any = (
            ray.remote(SessionActor)
            .options(
                name=name,
                namespace=NAMESPACE,
                lifetime="detached",
                max_restarts=-1,
                num_cpus=SESSION_CPUS,
                scheduling_strategy="SPREAD",
                enable_task_events=False,
            )
            .remote(name, self._dsn, session_values(self._settings), self._settings.log_level)
        )
        await ask(actor.ready.remote(), "new session actor")
        return name

    async def _top_up(self) -> None:
        while len(self._warm) < self._settings.sessions.warm_actors:
            name = await self._new_actor()
            if len(self._warm) < self._settings.sessions.warm_actors:
                self._warm.append(name)
            else:
                _end_actor(name)

    # Looking after what is there

    async def _take_stock(self) -> None:
        archive = await self._connected()
        alive = {name for name in _named_actors() if name.startswith(SESSION_PREFIX)}
        homeless = []
        cursor: str | None = None
        while True:
            page = await archive.sessions(OPEN_STATUSES, 200, cursor)
            for row in page.items:
                if row.actor_name in alive:
                    self._open[row.spec.session_id] = row.actor_name
                else:
                    homeless.append(row.spec.session_id)
            cursor = page.next_cursor
            if cursor is None:
                break
        for name in alive - set(self._open.values()):
            _end_actor(name)
        await self._ensure_dispatchers()
        for session_id in homeless:
            self._spawn(self._place_again(session_id))
        self._spawn(self._top_up())
        log.info("coordinator_ready", open_sessions=len(self._open), homeless=len(homeless))

    async def _place_again(self, session_id: str) -> None:
        try:
            await self._placed(session_id)
        except OrchestrationError as error:
            log.warning("session_not_placed", session_id=session_id, reason=error.message)

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            try:
                await self._ensure_dispatchers()
                await self._top_up()
                for session_id, due in list(self._ended.items()):
                    if due <= time.monotonic():
                        self._dismiss(session_id)
                if self._expire_at <= time.monotonic():
                    self._expire_at = time.monotonic() + EXPIRE_INTERVAL_S
                    self._spawn(self._expire_recordings())
            except Exception as error:
                log.warning("sweep_failed", reason=str(error))

    async def _expire_recordings(self) -> None:
        days = self._settings.sessions.recording_retention_days
        if not days:
            return
        recordings = self._recordings(await self._connected())
        expired = await recordings.expire(datetime.now(UTC), days)
        if expired:
            log.info("recordings_expired", sessions=expired, retention_days=days)

    def _recordings(self, archive: PostgresArchive) -> Recordings:
        return Recordings(archive, ChunkFileStore(self._settings.recordings_dir))

    async def _ensure_dispatchers(self) -> None:
        there = set(_named_actors())
        for node_id in _alive_nodes():
            name = dispatcher_name(node_id)
            if name not in there:
                strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
                ray.remote(Dispatcher).options(
                    name=name,
                    namespace=NAMESPACE,
                    lifetime="detached",
                    get_if_exists=True,
                    max_restarts=-1,
                    num_cpus=0,
                    scheduling_strategy=strategy,
                    enable_task_events=False,
                ).remote(self._application, DISPATCH_TIMEOUT_S)

    def _dismiss(self, session_id: str) -> None:
        self._ended.pop(session_id, None)
        name = self._open.pop(session_id, None)
        if name is not None:
            _end_actor(name)

    async def _connected(self) -> PostgresArchive:
        if self._archive is None:
            database = self._settings.database
            pool = await connect_pool(
                self._dsn,
                min_size=database.pool_min,
                max_size=database.pool_max,
                connect_timeout_s=database.connect_timeout_s,
            )
            self._archive = PostgresArchive(pool)
        return self._archive

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("task_failed", reason=str(task.exception()))


def _description_hash(spec: SessionSpec) -> bytes:
    """What tells the same description of a session from another."""
    text = json.dumps(asdict(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def _named_actors() -> list[str]:
    return [str(name) for name in list_named_actors()]


def _alive_nodes() -> list[str]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return sorted(str(node["NodeID"]) for node in nodes if node["Alive"])


def _actor(name: str) -> Any:
    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError as error:
        raise Unavailable("The session's actor is gone; ask again.") from error


def _end_actor(name: str) -> None:
    try:
        ray.kill(ray.get_actor(name, NAMESPACE), no_restart=True)
    except ValueError:
        return
