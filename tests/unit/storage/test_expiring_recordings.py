"""Recordings past their retention go, each for itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from orchestration.errors import Unavailable
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasure_ports import RemovedFiles
from orchestration.storage.recordings import EXPIRE_BATCH, Recordings


class Shelf:
    """Sessions with audio that is past its time."""

    def __init__(self, session_ids: Sequence[str]) -> None:
        self.session_ids = list(session_ids)

    async def expired_recordings(self, ended_before: datetime, limit: int) -> Sequence[str]:
        return self.session_ids[:limit]

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
    stuck = [f"stuck-{number}" for number in range(EXPIRE_BATCH)]
    shelf = Shelf([*stuck, "old"])
    recordings = Recordings(cast(Any, shelf), Stuck(tmp_path))
    assert await recordings.expire(datetime.now(UTC), 30) == 1
    assert shelf.session_ids == stuck
