"""Recordings past their retention go, each for itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from orchestration.errors import Unavailable
from orchestration.storage.archive_ports import Page
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasure_ports import RemovedFiles
from orchestration.storage.recordings import LOOKED_AT_ONCE, Recordings


class Shelf:
    """Sessions with audio that is past its time."""

    def __init__(self, session_ids: Sequence[str]) -> None:
        self.session_ids = list(session_ids)

    async def expired_recordings(
        self, ended_before: datetime, look_at: int, cursor: str | None
    ) -> Page[str]:
        page = (
            self.session_ids[self.session_ids.index(cursor) + 1 :] if cursor else self.session_ids
        )
        return Page(page[:look_at], page[look_at - 1] if len(page) >= look_at else None)

    async def forget_recording(self, session_id: str) -> None:
        self.session_ids.remove(session_id)


class Stuck(ChunkFileStore):
    """Files of some sessions cannot be removed."""

    def remove_session(self, session_id: str) -> RemovedFiles:
        if session_id.startswith("stuck"):
            raise Unavailable("The recording's files cannot be removed: Operation not permitted.")
        return RemovedFiles()


async def test_recordings_that_cannot_be_removed_keep_no_other_from_expiring(
    tmp_path: Path,
) -> None:
    stuck = [f"stuck-{number}" for number in range(LOOKED_AT_ONCE)]
    shelf = Shelf([*stuck, "old"])
    recordings = Recordings(cast(Any, shelf), Stuck(tmp_path))
    assert await recordings.expire(datetime.now(UTC), 30) == 1
    assert shelf.session_ids == stuck
