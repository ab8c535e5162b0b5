"""Moves a session's audio from the journal into files, and lets the journal shrink behind them.

A file holds the frames that begin within `file_samples` of its first one, and is written when no
more of those can come. So its content follows from the frames alone: whoever files them, after
whatever crash, makes the same files.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from orchestration.errors import Fenced, OrchestrationError, RecordingFailed, UnknownSession
from orchestration.session.ingest_ledger import REMEMBERED_HASHES, StreamLedger
from orchestration.session.stream_pipeline import RESUME_LEAD_MS
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.journal_ports import SessionJournal
from orchestration.storage.values import JournalFrame, RecordedFile

log = structlog.get_logger(__name__)

CHECK_INTERVAL_S = 1.0
"""How often is looked whether a file is due."""
RETRY_INTERVAL_S = 10.0
"""The wait after a failure; audio stays in the journal meanwhile."""
SHRINK_BATCH_FRAMES = 2_000
"""Frames removed from the journal by one statement, so that none takes long."""


class StreamFiling:
    """How far one stream is filed, and whether its next file is due. Without I/O."""

    def __init__(self, file_samples: int, filed_to: RecordedFile | None = None) -> None:
        self._file_samples = file_samples
        self.last_seq = filed_to.last_seq if filed_to else -1
        self._begins_at = filed_to.end_sample if filed_to else 0
        """No frame to be filed begins before this sample."""

    def is_due(self, durable_to: int, is_complete: bool) -> bool:
        """Whether to look for a file's frames: the stream is durable up to sample `durable_to`,
        and no more will come when it `is_complete`."""
        if is_complete:
            return durable_to > self._begins_at
        return durable_to >= self._begins_at + self._file_samples

    def holds(self, first: JournalFrame, frame: JournalFrame) -> bool:
        """Whether the file that begins with `first` holds `frame`."""
        return frame.first_sample < first.first_sample + self._file_samples

    def begins_at(self, sample: int) -> None:
        """The next file begins here: the capture skipped what is before."""
        self._begins_at = max(self._begins_at, sample)

    def filed(self, last_seq: int, end_sample: int) -> None:
        """Frames up to `last_seq` need no more filing."""
        self.last_seq = last_seq
        self._begins_at = end_sample


class Alert(Protocol):
    """Tells people, in the session's events."""

    def __call__(self, level: str, code: str, message: str) -> None: ...


class Recorder:
    """Files a session's streams. Without `files` nothing is kept: the journal shrinks behind the
    final words alone."""

    def __init__(
        self,
        session_id: str,
        epoch: int,
        ledgers: Mapping[int, StreamLedger],
        journal: SessionJournal,
        files: ChunkFileStore | None,
        *,
        file_ms: int,
        lead_ms: int,
        alert: Alert,
    ) -> None:
        """`ledgers` say what is durable. Of the journal, `lead_ms` before the first word that is
        not final stays, for the chunk that is under way and for the next incarnation."""
        self._session_id = session_id
        self._epoch = epoch
        self._ledgers = ledgers
        self._journal = journal
        self._files = files
        self._file_ms = file_ms
        self._lead_ms = lead_ms
        self._alert = alert
        self._filings: dict[int, StreamFiling] = {}
        self._stored: Mapping[int, RecordedFile] | None = None
        self._is_failing = False
        self._log = log.bind(session_id=session_id, epoch=epoch)

    async def run(self, is_finished: Callable[[], bool], is_replaced: Callable[[], bool]) -> None:
        """File what is due until the session's end is stored and all of it is filed, or until
        another incarnation has taken the session."""
        while not is_replaced():
            finished = is_finished()
            try:
                await self.step(finished)
            except (Fenced, UnknownSession):
                return
            except RecordingFailed as error:
                self._failed(error.message)
            except OrchestrationError as error:
                self._log.warning("recording_waits", reason=error.message)
            except Exception:
                self._log.exception("recording_failed")
                self._failed("A recording's file cannot be made.")
            else:
                self._is_failing = False
                if finished:
                    return
                await asyncio.sleep(CHECK_INTERVAL_S)
                continue
            await asyncio.sleep(RETRY_INTERVAL_S)

    async def step(self, finished: bool) -> None:
        """File everything that is due. When the session has `finished`, the journal keeps no more
        than a later repair needs to open it.

        Raises:
            RecordingFailed: a file cannot be written; its frames stay in the journal.
            Fenced, UnknownSession, DatabaseUnavailable
        """
        if self._stored is None:
            if self._files is not None:
                await asyncio.to_thread(self._files.discard_partial, self._session_id)
            self._stored = await self._journal.last_files(self._session_id)
        for stream, ledger in list(self._ledgers.items()):
            if stream not in self._filings:
                file_samples = self._file_ms * ledger.format.sample_rate // 1000
                self._filings[stream] = StreamFiling(file_samples, self._stored.get(stream))
            any_filed = False
            while await self._file_next(ledger, self._filings[stream]):
                any_filed = True
            if any_filed or finished:
                await self._shrink(ledger, finished)

    async def _file_next(self, ledger: StreamLedger, filing: StreamFiling) -> bool:
        """File a stream's next stretch if it is due; whether it was."""
        # Read before the journal is: frames that come meanwhile belong to a later look.
        durable_to, next_seq, is_complete = ledger.next_sample, ledger.next_seq, ledger.is_complete
        if not filing.is_due(durable_to, is_complete):
            return False
        if self._files is None:
            filing.filed(next_seq - 1, durable_to)
            return True
        frames: list[JournalFrame] = []
        async for frame in self._journal.frames_after(
            self._session_id, ledger.stream, filing.last_seq
        ):
            if frames and not filing.holds(frames[0], frame):
                break
            frames.append(frame)
        if not frames:
            raise RecordingFailed(f"Stream {ledger.stream} has frames that are not journaled.")
        filing.begins_at(frames[0].first_sample)
        if not filing.is_due(durable_to, is_complete):
            return False
        file = await asyncio.to_thread(self._files.write, self._session_id, ledger.format, frames)
        await self._journal.add_file(self._session_id, self._epoch, file)
        filing.filed(file.last_seq, file.end_sample)
        return True

    async def _shrink(self, ledger: StreamLedger, finished: bool) -> None:
        lead_ms, keep_frames = self._lead_ms, REMEMBERED_HASHES
        if finished:
            # No sender and no chunk; but a repair opens the session as any restart does.
            lead_ms, keep_frames = RESUME_LEAD_MS, 1
        removed = SHRINK_BATCH_FRAMES
        while removed >= SHRINK_BATCH_FRAMES:
            removed = await self._journal.shrink(
                self._session_id,
                self._epoch,
                ledger.stream,
                lead_samples=lead_ms * ledger.format.sample_rate // 1000,
                keep_frames=keep_frames,
                max_frames=SHRINK_BATCH_FRAMES,
                only_filed=self._files is not None,
            )

    def _failed(self, reason: str) -> None:
        """Said once for each stretch of failures."""
        if not self._is_failing:
            self._is_failing = True
            self._log.error("recording_failed", reason=reason)
            self._alert(
                "critical",
                "recording_failed",
                f"{reason} The audio stays in the database and is filed later.",
            )
