"""What every archive promises of uploaded files."""

import asyncio

import pytest

from orchestration.errors import OrchestrationError, RepeatUnderWay, UnknownSession
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.upload_ports import RequestKey, UploadRow
from orchestration.storage.values import SessionSpec
from tests.storage_values import erased

KEY = RequestKey("key-1", b"\x01" * 32)


def own(session_id: str, key: RequestKey | None = KEY) -> UploadRow:
    return UploadRow(session_id, 0, True, key)


async def test_a_file_is_stored_with_the_session_that_is_made_for_it(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await archive.create_session(SessionSpec("s1"), own("s1"))
    await archive.create_session(SessionSpec("meeting"))
    assert await archive.upload("s1", 0) == own("s1")
    assert await archive.upload("s1", 1) is None
    assert await archive.upload_by_key("key-1") == own("s1")
    assert await archive.upload_by_key("key-2") is None
    assert (await journal.claim("s1", "actor-1")).is_upload
    assert not (await journal.claim("meeting", "actor-2")).is_upload


async def test_a_file_in_somebodys_session_does_not_make_it_the_files_own(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await archive.create_session(SessionSpec("meeting"))
    await archive.note_upload(UploadRow("meeting", 2, False, None))
    assert await archive.upload("meeting", 2) == UploadRow("meeting", 2, False, None)
    assert not (await journal.claim("meeting", "actor-1")).is_upload


async def test_of_requests_that_come_at_once_with_one_key_one_makes_a_session(
    archive: PostgresArchive,
) -> None:
    names = [f"s{number}" for number in range(4)]
    made = await asyncio.gather(
        *(archive.create_session(SessionSpec(name), own(name)) for name in names),
        return_exceptions=True,
    )
    refused = [one for one in made if isinstance(one, RepeatUnderWay)]
    assert len(refused) == 3
    page = await archive.sessions(None, 10, None)
    found = await archive.upload_by_key("key-1")
    assert [row.spec.session_id for row in page.items] == [found.session_id if found else None]


async def test_a_key_goes_with_its_session_or_when_it_is_freed(archive: PostgresArchive) -> None:
    await archive.create_session(SessionSpec("s1"), own("s1"))
    with pytest.raises(RepeatUnderWay):
        await archive.create_session(SessionSpec("s2"), own("s2"))
    await archive.free_upload_key(own("s1"))
    assert await archive.upload("s1", 0) == own("s1", None)
    await archive.create_session(SessionSpec("s2"), own("s2"))
    await erased(archive, "s2")
    assert await archive.upload_by_key("key-1") is None


async def test_files_without_a_key_are_as_many_as_there_are(archive: PostgresArchive) -> None:
    for name in ("s1", "s2"):
        await archive.create_session(SessionSpec(name), own(name, None))
    assert await archive.upload("s2", 0) == own("s2", None)


async def test_a_file_of_a_session_that_there_is_not_is_refused(archive: PostgresArchive) -> None:
    with pytest.raises(UnknownSession):
        await archive.note_upload(own("none"))
    await archive.create_session(SessionSpec("s1"), own("s1"))
    with pytest.raises(OrchestrationError, match="contradicts"):
        await archive.note_upload(own("s1", RequestKey("key-2", b"")))
