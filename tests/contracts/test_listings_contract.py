"""What is stored of a session, by the page."""

from dataclasses import replace

import pytest

from orchestration.errors import BadRequest, UnknownSession
from orchestration.services.ports import AudioQuality
from orchestration.session.inputs import ParticipantRef
from orchestration.storage.data_ports import StoredChunk, StoredQuality
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import (
    ChunkRow,
    ParticipantRow,
    QualityRow,
    RecordedFile,
    SessionSpec,
)
from tests.storage_values import event, participant, progress, segment, stream_spec, translation

SECOND = 10**9
FOREVER = 10**15
ALL = (-FOREVER, FOREVER)
HEARD = AudioQuality(-20.0, -3.0, 0.0, 25.0, 0.75, 4000, -21.0, 0.5)
LATER = ParticipantRow(ParticipantRef("p2", "Ben"), 3 * SECOND, 4 * SECOND)
UNKNOWN = ParticipantRow(ParticipantRef("p0", "Cleo"), None, None)


@pytest.fixture
async def archive(pool: Pool) -> PostgresArchive:
    """Session s1: segments in seconds 1 to 5, of two streams in second 3; three files."""
    archive, journal = PostgresArchive(pool), PostgresJournal(pool)
    for session_id in ("s1", "empty"):
        await archive.create_session(SessionSpec(session_id))
    await journal.claim("s1", "actor")
    await journal.open_streams("s1", 1, [stream_spec(0), stream_spec(1)])
    twin = replace(segment(3, stream=1), segment_id="twin")
    changes = SessionChanges(
        chunks=[chunk(0, 0), chunk(0, 16_000), replace(chunk(1, 0), outcome="lost", engine="")],
        qualities=[QualityRow(0, 0, 16_000, HEARD)],
        events=[event(1), event(2)],
        segments=[*(segment(number) for number in (1, 2, 3, 4, 5)), twin],
        translations=[translation(1), translation(1, "es", "hola"), translation(4)],
        participants=[participant(), LATER, UNKNOWN],
        streams=[progress(16_000)],
    )
    await journal.commit("s1", 1, changes)
    for stream, first in ((0, 0), (0, 10), (1, 0)):
        await journal.add_file("s1", 1, recorded(stream, first))
    return archive


def chunk(stream: int, start: int) -> ChunkRow:
    return ChunkRow(stream, start, start + 16_000, "heard", "whisper-1", "en", 2, 3, 250)


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
    first = await archive.files_page("s1", *ALL, 2, None)
    rest = await archive.files_page("s1", *ALL, 2, first.next_cursor)
    assert [*first.items, *rest.items] == [recorded(0, 0), recorded(0, 10), recorded(1, 0)]
    assert rest.next_cursor is None


async def test_figures_count_what_is_stored(archive: PostgresArchive) -> None:
    figures = await archive.statistics("s1")
    assert (figures.segments, figures.words, figures.translations) == (6, 12, 3)
    assert (figures.audio_files, figures.recorded_s, figures.recorded_bytes) == (3, 3.0, 15_000)
    assert (figures.participants, figures.speakers) == (3, 1)
    assert figures.translation_languages == ("es", "pt")
    assert figures.duration_s == 2.0


async def test_a_session_without_anything_has_empty_pages(archive: PostgresArchive) -> None:
    assert (await archive.files_page("empty", *ALL, 9, None)).items == []
    assert (await archive.segments_page("empty", 0, FOREVER, 9, None)).items == []
    assert (await archive.statistics("empty")).words == 0


async def test_an_unknown_session_is_said_to_be_unknown(archive: PostgresArchive) -> None:
    with pytest.raises(UnknownSession):
        await archive.files_page("nobody", *ALL, 9, None)
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
        await archive.files_page("s1", *ALL, 9, cursor)
    with pytest.raises(BadRequest, match="cursor"):
        await archive.segments_page("s1", 0, FOREVER, 9, cursor)


async def test_files_and_chunks_lie_on_session_time(archive: PostgresArchive) -> None:
    """Stream 0 begins a quarter of a second after the session."""
    files = await archive.files_page("s1", 0, SECOND // 4, 9, None)
    assert [file.stream for file in files.items] == [1]
    chunks = await archive.chunks_page("s1", SECOND + SECOND // 4, FOREVER, 9, None)
    assert [(one.chunk.stream, one.start_ns) for one in chunks.items] == [(0, SECOND * 5 // 4)]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
async def test_chunks_come_with_engine_attempts_latency_and_quality(
    archive: PostgresArchive, limit: int
) -> None:
    found: list[StoredChunk] = []
    cursor: str | None = None
    while True:
        page = await archive.chunks_page("s1", *ALL, limit, cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    lost = replace(chunk(1, 0), outcome="lost", engine="")
    assert [one.chunk for one in found] == [chunk(0, 0), chunk(0, 16_000), lost]
    assert found[0].quality == StoredQuality(0.5, -20.0, 25.0, 0.75, 0.0)
    assert found[1].quality is None


async def test_a_chunk_that_is_heard_again_takes_its_own_place(
    archive: PostgresArchive, pool: Pool
) -> None:
    again = replace(chunk(0, 0), attempts=1, words=5)
    await PostgresJournal(pool).commit("s1", 1, SessionChanges(chunks=[again]))
    page = await archive.chunks_page("s1", *ALL, 1, None)
    assert page.items[0].chunk == again


async def test_translations_are_paged_in_order_of_their_lines(archive: PostgresArchive) -> None:
    first = await archive.translations_page("s1", *ALL, None, 2, None)
    rest = await archive.translations_page("s1", *ALL, None, 2, first.next_cursor)
    found = [(one.segment_id, one.translation.language) for one in [*first.items, *rest.items]]
    assert found == [("segment-1", "es"), ("segment-1", "pt"), ("segment-4", "pt")]
    assert rest.next_cursor is None
    late = await archive.translations_page("s1", 4 * SECOND, FOREVER, "pt", 9, None)
    assert [(one.segment_id, one.start_ns, one.engine) for one in late.items] == [
        ("segment-4", 4 * SECOND, "e")
    ]


async def test_people_come_in_order_of_joining_and_by_when_they_were_there(
    archive: PostgresArchive,
) -> None:
    first = await archive.participants_page("s1", *ALL, 2, None)
    rest = await archive.participants_page("s1", *ALL, 2, first.next_cursor)
    assert [*first.items, *rest.items] == [participant(), LATER, UNKNOWN]
    after_ben = await archive.participants_page("s1", 4 * SECOND, FOREVER, 9, None)
    assert after_ben.items == [participant(), UNKNOWN]


async def test_events_are_found_by_when_they_were_told(
    archive: PostgresArchive, pool: Pool
) -> None:
    """Without audio, session time begins when the session was created."""
    await pool.execute(
        "UPDATE bot_sessions.events SET timestamp = s.created_at + seq * interval '10 s' "
        "FROM bot_sessions.sessions s WHERE s.session_id = 's1'"
    )
    found = await archive.events_between("s1", 0, 15 * SECOND, 25 * SECOND, 9)
    assert [one.seq for one in found] == [2]
    assert await archive.events_between("s1", 2, *ALL, 9) == []


async def test_the_new_listings_know_which_sessions_there_are(archive: PostgresArchive) -> None:
    for listing in (archive.chunks_page, archive.correlations, archive.participants_page):
        assert (await listing("empty", *ALL, 9, None)).items == []
        with pytest.raises(UnknownSession):
            await listing("nobody", *ALL, 9, None)
        with pytest.raises(BadRequest, match="cursor"):
            await listing("s1", *ALL, 9, "e30")
    with pytest.raises(UnknownSession):
        await archive.translations_page("nobody", *ALL, None, 9, None)
