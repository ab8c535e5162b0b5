"""What every archive gives of a session's lines, events and audio."""

import asyncio

import pytest

from orchestration.errors import BadRequest
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from tests.contracts.filled_session import create, fill
from tests.storage_values import (
    event,
    frame,
    segment,
    stream_spec,
    translation,
)


async def test_a_segment_comes_with_its_translations(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await fill(archive, journal, "s")
    spanish, portuguese = (translation(1, "es", "hola"), translation(1))
    assert list(await archive.segments("s")) == [
        StoredSegment(segment(1), (spanish.translation, portuguese.translation)),
        StoredSegment(segment(2), (translation(2).translation,)),
    ]


async def test_segments_are_in_order_of_start_whatever_their_stream(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await create(archive, "s")
    await journal.claim("s", "actor")
    spoken = [segment(3), segment(1, stream=1), segment(2)]
    await journal.commit("s", 1, SessionChanges(segments=spoken))
    starts = [one.segment.start_ns for one in await archive.segments("s")]
    assert starts == [10**9, 2 * 10**9, 3 * 10**9]


@pytest.mark.parametrize(("limit", "kept"), [(1, [2]), (2, [1, 2]), (9, [1, 2])])
async def test_a_snapshot_has_the_last_segments_and_the_number_of_the_last_event(
    archive: PostgresArchive, journal: PostgresJournal, limit: int, kept: list[int]
) -> None:
    await fill(archive, journal, "s")
    snapshot = await archive.snapshot("s", limit)
    assert [one.segment for one in snapshot.segments] == [segment(number) for number in kept]
    assert snapshot.seq == 2
    assert snapshot.truncated == (len(kept) < 2)
    assert snapshot.session.status == "active"


async def test_a_snapshot_never_mixes_two_moments(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await create(archive, "s")
    await journal.claim("s", "actor")

    async def write() -> None:
        for number in range(1, 40):
            changes = SessionChanges(
                events=[event(number)],
                segments=[segment(number)],
                translations=[translation(number)],
                zero_unix_ms=number,
            )
            await journal.commit("s", 1, changes)

    writing = asyncio.create_task(write())
    while not writing.done():
        snapshot = await archive.snapshot("s", 100)
        assert len(snapshot.segments) == snapshot.seq == (snapshot.session.zero_unix_ms or 0)
        assert all(one.translations for one in snapshot.segments)
    await writing


async def test_events_are_read_after_a_number_in_order(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await fill(archive, journal, "s")
    await journal.commit("s", 1, SessionChanges(events=[event(3), event(4), event(5)]))
    assert await archive.events("s", 0, 2) == [event(1), event(2)]
    assert await archive.events("s", 2, 100) == [event(3), event(4), event(5)]
    assert await archive.events("s", 5, 100) == []


async def test_a_number_beyond_what_the_database_counts_is_a_bad_request(
    archive: PostgresArchive,
) -> None:
    await create(archive, "s")
    with pytest.raises(BadRequest):
        await archive.events("s", 2**70, 100)


async def test_a_recording_is_the_streams_frames_in_order(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await fill(archive, journal, "s")
    await journal.open_streams("s", 1, [stream_spec(1)])
    await journal.append("s", 1, [frame(0, stream=1)], [])
    assert [one async for one in archive.recording("s", 0)] == [frame(0), frame(1)]
