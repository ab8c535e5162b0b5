"""What the coordinator does for sessions that are over: what is past its retention goes, and audio
that they could not write to files is written."""

import asyncio
from collections.abc import Callable, Container

import structlog

from orchestration.config.current import CurrentSettings
from orchestration.errors import OrchestrationError
from orchestration.process_clock import monotonic_ms
from orchestration.session.late_filing import LateFiling
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasing import Erasing
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.recordings import Recordings

log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 5.0
"""How often it is seen what is due."""

EXPIRE_INTERVAL_MS = 3_600_000
"""How often sessions and recordings past their retention are removed."""

FILE_INTERVAL_MS = 600_000
"""How often what ended sessions could not file is tried again."""


class Upkeep:
    """Looks after what is stored, by the settings that hold."""

    def __init__(self, current: CurrentSettings, pool: Pool) -> None:
        self._current = current
        self._archive = PostgresArchive(pool)
        self._late_filing = LateFiling(self._archive, PostgresJournal(pool))
        self._expire_due_ms = 0
        self._file_due_ms = 0

    async def run(self, open_sessions: Container[str], on_erase: Callable[[str], None]) -> None:
        """Look, for ever; see `look`."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            try:
                await self.look(monotonic_ms(), open_sessions, on_erase)
            except OrchestrationError as error:
                log.warning("upkeep_failed", reason=error.message)
            except Exception:
                log.exception("upkeep_failed")

    async def look(
        self, now_ms: int, open_sessions: Container[str], on_erase: Callable[[str], None]
    ) -> None:
        """Do what is due. Sessions that are open file their audio themselves; `on_erase` is called
        with each session's id before it is erased.

        Raises:
            DatabaseUnavailable: the rest is done when it is due again.
        """
        if self._file_due_ms <= now_ms:
            self._file_due_ms = now_ms + FILE_INTERVAL_MS
            await self._file_late(open_sessions)
        if self._expire_due_ms <= now_ms:
            self._expire_due_ms = now_ms + EXPIRE_INTERVAL_MS
            await self._expire(on_erase)

    async def _file_late(self, open_sessions: Container[str]) -> None:
        sessions = self._current.now.sessions
        if sessions.record:
            filed = await self._late_filing.sweep(
                await self._archive.now(),
                self._files,
                sessions.recording_file_s * 1000,
                open_sessions,
            )
            if filed:
                log.info("recordings_filed_late", sessions=filed)

    async def _expire(self, on_erase: Callable[[str], None]) -> None:
        # By the clock that wrote when sessions ended: a wrong one here would erase them early.
        now = await self._archive.now()
        days = self._current.now.retention.sessions_days
        if days:
            erasing = Erasing(self._archive, self._files, on_erase)
            expired = await erasing.expire(now, days)
            if expired:
                log.info("sessions_expired", sessions=expired, retention_days=days)
        days = self._current.now.sessions.recording_retention_days
        if days:
            expired = await Recordings(self._archive, self._files).expire(now, days)
            if expired:
                log.info("recordings_expired", sessions=expired, retention_days=days)

    @property
    def _files(self) -> ChunkFileStore:
        return ChunkFileStore(self._current.now.recordings_dir)
