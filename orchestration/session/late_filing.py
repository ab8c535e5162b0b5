"""Files what ended sessions left in the journal: their actors are gone, and could not write it."""

from collections import deque
from collections.abc import Container
from datetime import datetime, timedelta

import structlog

from orchestration.errors import Fenced, RecordingFailed, UnknownSession
from orchestration.session.ingest_ledger import StreamLedger
from orchestration.session.recorder import Recorder
from orchestration.storage.archive_ports import Archive
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.journal_ports import SessionJournal
from orchestration.storage.values import StreamRow

log = structlog.get_logger(__name__)

LEFT_AFTER = timedelta(minutes=1)
"""A session that ended so long ago has no actor any more that would file it."""
SESSIONS_A_SWEEP = 20
"""Sessions that one sweep tries; the next one goes on behind them."""
LOOKED_AT_ONCE, LOOKS_A_SWEEP = 500, 100
"""Sessions that one statement looks at, and statements of a sweep."""


class LateFiling:
    """Sweeps through all ended sessions, some at a time and round and round: one whose file cannot
    be written holds up nobody else."""

    def __init__(self, archive: Archive, journal: SessionJournal) -> None:
        self._archive = archive
        self._journal = journal
        self._found: deque[str] = deque()
        self._cursor: str | None = None

    async def sweep(
        self, now: datetime, files: ChunkFileStore, file_ms: int, open_sessions: Container[str]
    ) -> int:
        """File what is left of the next sessions but for the open ones; returns how many
        sessions have all of their audio in files now.

        Raises:
            DatabaseUnavailable: the rest is the next call's.
        """
        filed = 0
        await self._look(now - LEFT_AFTER)
        for _ in range(min(SESSIONS_A_SWEEP, len(self._found))):
            session_id = self._found.popleft()
            if session_id in open_sessions:
                continue
            try:
                await self._file(session_id, files, file_ms)
                filed += 1
            except RecordingFailed as error:
                log.error("recording_not_filed", session_id=session_id, reason=error.message)
            except (Fenced, UnknownSession):
                continue  # Somebody opened it meanwhile, who files it, or it is erased.
        return filed

    async def _look(self, ended_before: datetime) -> None:
        """Find the next sessions, to the end of this round and no further."""
        if self._found and self._cursor is None:
            return  # What a round has found comes before the next one.
        for _ in range(LOOKS_A_SWEEP):
            if len(self._found) >= SESSIONS_A_SWEEP:
                return
            page = await self._archive.unfiled_sessions(ended_before, LOOKED_AT_ONCE, self._cursor)
            self._found.extend(page.items)
            self._cursor = page.next_cursor
            if self._cursor is None:
                return

    async def _file(self, session_id: str, files: ChunkFileStore, file_ms: int) -> None:
        session = await self._archive.session(session_id)
        ledgers = {row.spec.stream: _whole(row) for row in await self._archive.streams(session_id)}

        def logged(level: str, code: str, message: str) -> None:
            log.warning(code, session_id=session_id, level=level, reason=message)

        recorder = Recorder(
            session_id,
            session.epoch,
            ledgers,
            self._journal,
            files,
            file_ms=file_ms,
            lead_ms=0,
            alert=logged,
        )
        await recorder.step(finished=True)


def _whole(row: StreamRow) -> StreamLedger:
    """The ledger of a stream to which nothing will come."""
    return StreamLedger(
        row.spec.stream, row.spec.format, row.next_seq, row.next_sample, row.next_seq - 1
    )
