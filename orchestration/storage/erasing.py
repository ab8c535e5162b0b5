"""Erasing sessions and people: rows and files, and the receipt that proves it.

Files go before the rows, so that what is cut short can be asked for again, and once more after
them, for what a session's actor was writing when it was ended.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import structlog

from orchestration.errors import (
    DatabaseUnavailable,
    SessionRunning,
    Unavailable,
    UnknownSession,
)
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasure_ports import (
    ErasureArchive,
    ErasureKind,
    ErasureReceipt,
    Person,
    PersonAudio,
    PersonInSession,
)

log = structlog.get_logger(__name__)

SESSIONS_AT_ONCE = 200
"""Sessions that are looked through for a person by one statement."""
EXPIRE_BATCH = 20
"""Sessions past their retention that are looked up at once."""
MAX_EXPIRED_A_SWEEP = 1000
"""Sessions past their retention that one sweep erases; the next one goes on."""
MAX_RUNNING_NAMED = 20
"""Running sessions that a refusal names."""


class Erasing:
    """Takes things out of the archive and its files for good."""

    def __init__(
        self,
        archive: ErasureArchive,
        files: ChunkFileStore,
        on_erase: Callable[[str], None] = lambda session_id: None,
    ) -> None:
        """`on_erase` is called with each session's id before anything of it goes."""
        self._archive = archive
        self._files = files
        self._on_erase = on_erase

    async def session(self, session_id: str, kind: ErasureKind = "session") -> ErasureReceipt:
        """Erase a session.

        Raises:
            UnknownSession: there is no such session.
            Unavailable: a file cannot be removed, or the database is away; ask again.
        """
        await self._archive.session(session_id)
        self._on_erase(session_id)
        files = await asyncio.to_thread(self._files.remove_session, session_id)
        erasure_id = await self._archive.begin_erasure(kind)
        await self._archive.erase_session(erasure_id, session_id, files)
        late = await asyncio.to_thread(self._files.remove_session, session_id)
        if late.files:
            await self._archive.add_files(erasure_id, late)
        return await self._receipt(erasure_id)

    async def person(self, person: Person, audio: PersonAudio = "own") -> ErasureReceipt:
        """Erase a person from all sessions. Cut short, it goes on where it is asked for again.

        Raises:
            SessionRunning: the person is in sessions that have not ended; nothing is erased.
            Unavailable: as for a session.
        """
        running = [found.session_id async for found in self._found(person) if found.is_open]
        if running:
            raise SessionRunning(
                "This person is in sessions that have not ended: end them first, and wait until "
                "they are completed.",
                {"sessions": len(running), "session_ids": [*running[:MAX_RUNNING_NAMED]]},
            )
        erasure_id = await self._archive.begin_erasure("person")
        async for found in self._found(person):
            if not found.is_open:
                await self._erase_from(erasure_id, found, audio)
        return await self._receipt(erasure_id)

    async def expire(self, now: datetime, retention_days: int) -> int:
        """Erase sessions that ended so long ago, with a receipt each; returns how many those were.
        What is left beyond `MAX_EXPIRED_A_SWEEP` is the next call's, and so is a session whose
        files cannot be removed: it keeps none of the others.

        Raises:
            DatabaseUnavailable: the rest is the next call's.
        """
        ended_before = now - timedelta(days=retention_days)
        expired = 0
        left: set[str] = set()
        while expired < MAX_EXPIRED_A_SWEEP:
            limit = EXPIRE_BATCH + len(left)
            found = await self._archive.expired_sessions(ended_before, limit)
            session_ids = [one for one in found if one not in left]
            if not session_ids:
                break
            for session_id in session_ids:
                try:
                    await self.session(session_id, "retention")
                except UnknownSession:
                    continue  # Somebody else erased it meanwhile.
                except DatabaseUnavailable:
                    raise
                except Unavailable as error:
                    left.add(session_id)
                    log.error("session_not_expired", session_id=session_id, reason=error.message)
                else:
                    expired += 1
        return expired

    async def _found(self, person: Person) -> AsyncIterator[PersonInSession]:
        after: str | None = ""
        while after is not None:
            page = await self._archive.person_in(person, after, SESSIONS_AT_ONCE)
            for found in page.found:
                yield found
            after = page.last_id

    async def _erase_from(
        self, erasure_id: int, found: PersonInSession, audio: PersonAudio
    ) -> None:
        session_id = found.session_id
        self._on_erase(session_id)
        streams = list(found.own_streams)
        if audio == "all":
            streams = [row.spec.stream for row in await self._archive.streams(session_id)]
        files = await asyncio.to_thread(self._files.remove_streams, session_id, streams)
        await self._archive.erase_person(erasure_id, found, streams, files)
        late = await asyncio.to_thread(self._files.remove_streams, session_id, streams)
        if late.files:
            await self._archive.add_files(erasure_id, late)

    async def _receipt(self, erasure_id: int) -> ErasureReceipt:
        receipt = await self._archive.receipt(erasure_id)
        log.info(
            "erased",
            erasure_id=receipt.erasure_id,
            kind=receipt.kind,
            sessions=receipt.sessions,
            rows=sum(receipt.rows.values()),
            files=receipt.files,
            bytes=receipt.bytes,
        )
        return receipt
