"""Erasing in memory: sessions whole, and of people who was found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from orchestration.storage.erasure_ports import (
    ErasureKind,
    ErasureReceipt,
    PeoplePage,
    Person,
    PersonInSession,
    RemovedFiles,
)


class InMemoryErasures:
    """Receipts by id. `people` are found by whatever person is asked for; tests write here."""

    people: list[PersonInSession]
    erased: dict[int, ErasureReceipt]

    def remove_rows(self, session_id: str) -> Mapping[str, int]:
        raise NotImplementedError

    async def begin_erasure(self, kind: ErasureKind) -> int:
        erasure_id = len(self.erased) + 1
        self.erased[erasure_id] = ErasureReceipt(
            erasure_id, kind, 0, {}, 0, 0, datetime(2026, 5, 4, 12, tzinfo=UTC)
        )
        return erasure_id

    async def erase_session(self, erasure_id: int, session_id: str, files: RemovedFiles) -> None:
        rows = self.remove_rows(session_id)
        self._add(erasure_id, 1, rows, files)

    async def erase_person(
        self, erasure_id: int, found: PersonInSession, audio: Sequence[int], files: RemovedFiles
    ) -> None:
        self.people.remove(found)
        self._add(erasure_id, 1, {"participants": len(found.participant_ids)}, files)

    async def add_files(self, erasure_id: int, files: RemovedFiles) -> None:
        self._add(erasure_id, 0, {}, files)

    async def person_in(self, person: Person, after: str, limit: int) -> PeoplePage:
        return PeoplePage(list(self.people), None)

    async def expired_sessions(self, ended_before: datetime, limit: int) -> Sequence[str]:
        return []

    async def receipt(self, erasure_id: int) -> ErasureReceipt:
        return self.erased[erasure_id]

    async def receipts(self, limit: int, before: int | None) -> Sequence[ErasureReceipt]:
        newest_first = sorted(self.erased.values(), key=lambda one: -one.erasure_id)
        return [one for one in newest_first if before is None or one.erasure_id < before][:limit]

    def _add(
        self, erasure_id: int, sessions: int, rows: Mapping[str, int], files: RemovedFiles
    ) -> None:
        old = self.erased[erasure_id]
        self.erased[erasure_id] = replace(
            old,
            sessions=old.sessions + sessions,
            rows=dict(Counter(old.rows) + Counter(rows)),
            files=old.files + files.files,
            bytes=old.bytes + files.bytes,
        )
