"""Whole recordings: what is in files, then what is still only in the journal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import structlog

from orchestration.errors import NoRecording, Unavailable
from orchestration.session.inputs import StreamSpec
from orchestration.storage.archive_ports import Archive
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.flac import AudioRun, run_of

log = structlog.get_logger(__name__)

LOOKED_AT_ONCE = 500
"""Sessions that ended long ago, of which one statement says whether they have audio still."""


class Recordings:
    """Reading and removing recordings. Without `kept`, audio in the journal is no recording."""

    def __init__(self, archive: Archive, files: ChunkFileStore, *, kept: bool = True) -> None:
        self._archive = archive
        self._files = files
        self._kept = kept

    async def audio(
        self, session_id: str, stream: StreamSpec, start: int = 0
    ) -> AsyncIterator[AudioRun]:
        """A stream's audio in order, every frame once, from the run that holds sample `start` on;
        gaps between runs are the capture's.

        Raises:
            NoRecording: part of the audio was not kept.
            Unavailable: a file is not there, or the database.
        """
        next_seq, next_sample = 0, 0
        is_behind = False
        while True:
            files = [
                file
                for file in await self._archive.recorded_files(session_id, stream.stream)
                if file.last_seq >= next_seq
            ]
            if is_behind and not files:
                raise _not_whole(session_id, next_seq)
            for file in files:
                if file.end_sample > start:
                    if file.first_seq > next_seq and file.first_sample > start:
                        raise _not_whole(session_id, next_seq)
                    run = await asyncio.to_thread(self._files.read, file)
                    yield run.since(next_sample)
                next_seq, next_sample = file.last_seq + 1, file.end_sample
            if not self._kept:
                return
            async for frame in self._archive.recording(session_id, stream.stream, next_seq - 1):
                if frame.seq != next_seq and frame.first_sample > start:
                    break
                next_seq, next_sample = frame.seq + 1, frame.first_sample + frame.sample_count
                if next_sample > start:
                    yield run_of(frame, stream.format)
            else:
                return
            # The journal has shrunk while it was read: what it had is in a file by now, which may
            # begin with frames that were read.
            is_behind = True

    async def remove_files(self, session_id: str) -> None:
        """Remove a session's files.

        Raises:
            Unavailable: a file cannot be removed.
        """
        await asyncio.to_thread(self._files.remove_session, session_id)

    async def expire(self, now: datetime, retention_days: int) -> int:
        """Remove the audio of sessions that ended so long ago, wherever it is; returns how many
        sessions that was. Their transcripts stay.

        Files go first: where this is cut short, the rows remain, and with them the next try. A
        session whose files cannot be removed keeps none of the others.

        Raises:
            DatabaseUnavailable: the rest is the next call's.
        """
        ended_before = now - timedelta(days=retention_days)
        expired = 0
        cursor: str | None = None
        while True:
            page = await self._archive.expired_recordings(ended_before, LOOKED_AT_ONCE, cursor)
            for session_id in page.items:
                try:
                    await self.remove_files(session_id)
                except Unavailable as error:
                    log.error("recording_not_expired", session_id=session_id, reason=error.message)
                    continue
                await self._archive.forget_recording(session_id)
                expired += 1
            cursor = page.next_cursor
            if cursor is None:
                return expired


def _not_whole(session_id: str, seq: int) -> NoRecording:
    return NoRecording(
        f"Session {session_id} was not recorded whole: frame {seq} is not held.", {"seq": seq}
    )
