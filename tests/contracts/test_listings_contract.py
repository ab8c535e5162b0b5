"""What is stored of a session, by the page."""

from dataclasses import replace

import pytest

from orchestration.errors import BadRequest, UnknownSession
from orchestration.storage.pool import Pool
from orchestration.storage.ports import RecordedFile, SessionChanges, SessionSpec
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from tests.storage_values import participant, progress, segment, stream_spec, translation

SECOND = 10**9
FOREVER = 10**15


@pytest.fixture
async def archive(pool: Pool) -> PostgresArchive:
    """Session s1: segments in seconds 1 to 5, of two streams in second 3; three files."""
    archive, journal = PostgresArchive(pool), PostgresJournal(pool)
    for session_id in ("s1", "empty"):
        await archive.create_session(SessionSpec(session_id), b"")
    await journal.claim("s1", "actor")
    await journal.open_streams("s1", 1, [stream_spec(0), stream_spec(1)])
    twin = replace(segment(3, stream=1), segment_id="twin")
    changes = SessionChanges(
        segments=[*(segment(number) for number in (1, 2, 3, 4, 5)), twin],
        translations=[translation(1), translation(1, "es", "hola"), translation(4)],
        participants=[participant()],
        streams=[progress(16_000)],
    )
    await journal.commit("s1", 1, changes)
    for stream, first in ((0, 0), (0, 10), (1, 0)):
        await journal.add_file("s1", 1, recorded(stream, first))
    return archive


def recorded(stream: int, first_seq: int) -> RecordedFile:
    first, end = first_seq * 1600, (first_seq + 10) * 1600
    return RecordedFile(
        "s1", stream, first_seq, first_seq + 9, first, end, 16_000, 1, 5000, "ab" * 32
    )


async def segment_ids(
    archive: PostgresArchive, limit: int, from_ns: int = 0, to_ns: int = FOREVER
) -> list[list[str]]:
    """The ids of each page."""
    pages, cursor = [], None
    while True:
        page = await archive.segments_page("s1", from_ns, to_ns, limit, cursor)
        pages.append([one.segment.segment_id for one in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 200])
async def test_pages_of_any_size_hold_every_segment_once_in_order(
    archive: PostgresArchive, limit: int
) -> None:
    pages = await segment_ids(archive, limit)
    whole = [one.segment.segment_id for one in await archive.segments("s1")]
    assert [name for page in pages for name in page] == whole
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


async def test_a_range_of_time_holds_what_overlaps_it(archive: PostgresArchive) -> None:
    inside = SECOND * 2 + SECOND // 10
    assert await segment_ids(archive, 200, inside, SECOND * 3 + 1) == [
        ["segment-2", "segment-3", "twin"]
    ]
    assert await segment_ids(archive, 200, SECOND * 3, SECOND * 3) == [[]]


async def test_segments_come_with_their_translations(archive: PostgresArchive) -> None:
    page = await archive.segments_page("s1", 0, FOREVER, 1, None)
    assert [one.language for one in page.items[0].translations] == ["es", "pt"]


async def test_files_are_paged_by_stream_and_time(archive: PostgresArchive) -> None:
    first = await archive.files_page("s1", 2, None)
    rest = await archive.files_page("s1", 2, first.next_cursor)
    assert [*first.items, *rest.items] == [recorded(0, 0), recorded(0, 10), recorded(1, 0)]
    assert rest.next_cursor is None


async def test_figures_count_what_is_stored(archive: PostgresArchive) -> None:
    figures = await archive.statistics("s1")
    assert (figures.segments, figures.words, figures.translations) == (6, 12, 3)
    assert (figures.audio_files, figures.recorded_s, figures.recorded_bytes) == (3, 3.0, 15_000)
    assert (figures.participants, figures.speakers) == (1, 1)
    assert figures.translation_languages == ("es", "pt")
    assert figures.duration_s == 2.0


async def test_a_session_without_anything_has_empty_pages(archive: PostgresArchive) -> None:
    assert (await archive.files_page("empty", 9, None)).items == []
    assert (await archive.segments_page("empty", 0, FOREVER, 9, None)).items == []
    assert (await archive.statistics("empty")).words == 0


async def test_an_unknown_session_is_said_to_be_unknown(archive: PostgresArchive) -> None:
    with pytest.raises(UnknownSession):
        await archive.files_page("nobody", 9, None)
    with pytest.raises(UnknownSession):
        await archive.segments_page("nobody", 0, FOREVER, 9, None)
    with pytest.raises(UnknownSession):
        await archive.statistics("nobody")


# Not base64; not JSON; [1]; [true, 1]; ["a", 1]; a number beyond the database's.
@pytest.mark.parametrize(
    "cursor",
    ["?", "e30", "WzFd", "W3RydWUsMV0", "WyJhIiwxXQ", "WzEsOTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"],
)
async def test_a_cursor_that_was_not_given_is_refused(
    archive: PostgresArchive, cursor: str
) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        await archive.files_page("s1", 9, cursor)
    with pytest.raises(BadRequest, match="cursor"):
        await archive.segments_page("s1", 0, FOREVER, 9, cursor)
