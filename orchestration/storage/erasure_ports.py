"""The port for erasing what is stored, and what proves it.

Everything but `sessions` and the counts is kept out of what is returned: a receipt says how much
went, and not whose it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from orchestration.storage.archive_ports import Archive

ErasureKind = Literal["session", "person", "retention"]
ERASED_NAME = "Erased"

PersonAudio = Literal["own", "all"]
"""Which audio goes with a person: their own streams', or all of the sessions they were in."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, in all sessions, by one of the three. Emails and names match in any case."""

    participant_id: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RemovedFiles:
    """Files that were removed, and their bytes."""

    files: int = 0
    bytes: int = 0

    def __add__(self, more: "RemovedFiles") -> "RemovedFiles":
        return RemovedFiles(self.files + more.files, self.bytes + more.bytes)


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What one erasure removed: rows removed or overwritten by table, files and their bytes."""

    erasure_id: int
    kind: ErasureKind
    sessions: int
    rows: Mapping[str, int]
    files: int
    bytes: int
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class PersonInSession:
    """A session that a person is in. `own_streams` carry nobody's voice but theirs."""

    session_id: str
    is_open: bool
    participant_ids: tuple[str, ...]
    own_streams: tuple[int, ...]


class ErasureArchive(Archive, Protocol):
    """`Archive`, and the removal of what it holds."""

    async def begin_erasure(self, kind: ErasureKind) -> int:
        """An empty receipt's id; what follows is added to it."""
        ...

    async def erase_session(self, erasure_id: int, session_id: str, files: RemovedFiles) -> None:
        """Remove every row of a session, and add that and its files to the receipt; both or
        neither.

        Raises:
            UnknownSession: there is no such session.
        """
        ...

    async def erase_person(
        self, erasure_id: int, found: PersonInSession, audio: Sequence[int], files: RemovedFiles
    ) -> None:
        """Overwrite a person's rows in a session, remove the audio of the streams `audio`, and add
        all of it to the receipt; all or nothing. Writers of the session are shut out."""
        ...

    async def add_files(self, erasure_id: int, files: RemovedFiles) -> None:
        """Add files that were found after the rows were gone."""
        ...

    async def person_in(self, person: Person, after: str, limit: int) -> "PeoplePage":
        """Where a person is, among the `limit` sessions whose ids follow `after`."""
        ...

    async def expired_sessions(self, ended_before: datetime, limit: int) -> Sequence[str]:
        """Sessions that ended before then, oldest first."""
        ...

    async def receipt(self, erasure_id: int) -> ErasureReceipt: ...

    async def receipts(self, limit: int, before: int | None) -> Sequence[ErasureReceipt]:
        """Receipts with ids below `before`, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Sessions that a person is in; `last_id` is the last one looked at, None behind the last."""

    found: Sequence[PersonInSession]
    last_id: str | None
