"""What every archive promises."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestration.errors import BadRequest, SessionConflict, SessionEnded, UnknownSession
from orchestration.storage.archive_ports import QualitySummary
from orchestration.storage.erasure_ports import RemovedFiles
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_erasures import TABLES_OF_SESSION
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import QualityRow, SessionSpec
from tests.contracts.filled_session import HEARD, create, fill
from tests.storage_values import (
    clock_change,
    erased,
    stream_clock,
    timeline_row,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SPEC = SessionSpec(
    "meeting-1",
    meeting_id="abc-defg-hij",
    title="Weekly \U0001f5d3",
    language="en",
    target_languages=("pt", "es"),
    settings={"chunking": {"chunk_ms": 4000, "ratios": [0.5, None, True]}},
)


async def test_a_session_comes_back_as_it_was_created(archive: PostgresArchive) -> None:
    row, created = await archive.create_session(SPEC)
    assert created
    assert row.spec == SPEC
    assert (row.status, row.epoch, row.actor_name, row.zero_unix_ms) == ("created", 0, None, None)
    assert row.created_at.utcoffset() is not None
    assert await archive.session(SPEC.session_id) == row


async def test_creating_the_same_session_again_finds_it(archive: PostgresArchive) -> None:
    row, _ = await archive.create_session(SPEC)
    assert await archive.create_session(SPEC) == (row, False)


async def test_creating_at_once_creates_one(archive: PostgresArchive) -> None:
    made = await asyncio.gather(*(archive.create_session(SPEC) for _ in range(4)))
    assert sorted(created for _, created in made) == [False, False, False, True]


async def test_the_same_id_with_another_description_conflicts(archive: PostgresArchive) -> None:
    await archive.create_session(SPEC)
    with pytest.raises(SessionConflict):
        await archive.create_session(replace(SPEC, title="Another"))


@pytest.mark.parametrize("session_id", ["unknown", "", "x" * 10_000])
async def test_an_id_that_names_no_session_is_unknown_to_all_that_read(
    archive: PostgresArchive, session_id: str
) -> None:
    for read in (
        archive.session(session_id),
        archive.snapshot(session_id, 10),
        archive.segments(session_id),
        archive.events(session_id, 0, 10),
        archive.streams(session_id),
        archive.participants(session_id),
        archive.erase_session(0, session_id, RemovedFiles()),
        anext(aiter(archive.recording(session_id, 0))),
    ):
        with pytest.raises(UnknownSession):
            await read


@pytest.mark.parametrize("session_id", ["nul\x00", "half a pair \ud83d"])
async def test_an_id_that_no_session_can_have_is_a_bad_request(
    archive: PostgresArchive, session_id: str
) -> None:
    with pytest.raises(BadRequest):
        await archive.session(session_id)
    with pytest.raises(BadRequest):
        await erased(archive, session_id)


async def test_a_session_without_anything_reads_as_empty(archive: PostgresArchive) -> None:
    await create(archive, "empty")
    snapshot = await archive.snapshot("empty", 10)
    assert (snapshot.seq, snapshot.segments, snapshot.truncated) == (0, [], False)
    assert await archive.segments("empty") == []
    assert await archive.events("empty", 0, 10) == []
    assert await archive.streams("empty") == []
    assert await archive.participants("empty") == []
    assert [one async for one in archive.recording("empty", 0)] == []


async def test_sessions_are_paged_newest_first_without_a_repeat(archive: PostgresArchive) -> None:
    for number in range(5):
        await create(archive, f"s{number}")
    found, cursor = [], None
    while True:
        page = await archive.sessions(None, 2, cursor)
        found.append([row.spec.session_id for row in page.items])
        if page.next_cursor is None:
            break
        # One that comes while somebody pages is on the first page, and moves no other.
        await create(archive, f"late-{len(found)}")
        cursor = page.next_cursor
    assert found == [["s4", "s3"], ["s2", "s1"], ["s0"]]


async def test_sessions_created_in_the_same_instant_are_all_paged(
    archive: PostgresArchive, pool: Pool
) -> None:
    for number in range(3):
        await create(archive, f"s{number}")
    await pool.execute("UPDATE bot_sessions.sessions SET created_at = $1", NOW)
    first = await archive.sessions(None, 2, None)
    second = await archive.sessions(None, 2, first.next_cursor)
    pages = [[row.spec.session_id for row in page.items] for page in (first, second)]
    assert pages == [["s2", "s1"], ["s0"]]


async def test_sessions_are_found_by_status(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await fill(archive, journal, "active")
    await create(archive, "created")
    page = await archive.sessions(["active", "delayed"], 10, None)
    assert [row.spec.session_id for row in page.items] == ["active"]
    assert (await archive.sessions([], 10, None)).items == []


@pytest.mark.parametrize(
    "cursor", ["", "x", "\x00", "é", "bnVsbA", "WzEsMl0", "WyIyMDI2LTAxLTAxIiwgInMiXQ"]
)
async def test_a_cursor_that_was_not_given_is_refused(
    archive: PostgresArchive, cursor: str
) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        await archive.sessions(None, 10, cursor)


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_session_that_is_over_has_an_end(
    archive: PostgresArchive, journal: PostgresJournal, status: str
) -> None:
    await fill(archive, journal, "s")
    assert (await archive.session("s")).ended_at is None
    changes = SessionChanges(status="completed" if status == "completed" else "failed")
    await journal.commit("s", 1, changes)
    ended_at = (await archive.session("s")).ended_at
    assert ended_at is not None
    await journal.commit("s", 1, changes)
    assert (await archive.session("s")).ended_at == ended_at


async def rows_by_table(pool: Pool, session_id: str) -> dict[str, int]:
    """Rows of a session in each table that has any session's, by the database's own word."""
    tables = await pool.fetch(
        """SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'bot_sessions'::regnamespace AND c.relkind = 'r'
            AND a.attname = 'session_id'"""
    )
    count = "SELECT count(*) FROM bot_sessions.{} WHERE session_id = $1"
    return {name: await pool.fetchval(count.format(name), session_id) for (name,) in tables}


async def test_deleting_removes_every_row_of_the_session_and_no_other(
    archive: PostgresArchive, journal: PostgresJournal, pool: Pool
) -> None:
    for session_id in ("kept", "gone"):
        await fill(archive, journal, session_id)
        await pool.execute(
            "INSERT INTO bot_sessions.audio_files (file_id, session_id, file_path, file_name, "
            "file_size, file_format) VALUES ($1, $1, '', '', 0, 'flac')",
            session_id,
        )
        await pool.execute(
            "INSERT INTO bot_sessions.correlations (correlation_id, session_id, "
            "inhouse_transcript_id, correlation_type, correlation_method, speaker_id) "
            "VALUES ($1, $1, 'segment-1', 'exact', 'temporal', 'speaker_0')",
            session_id,
        )
        await pool.execute(
            "INSERT INTO bot_sessions.speaker_corrections VALUES ($1, 0, '{}')", session_id
        )
        await pool.execute(
            "INSERT INTO bot_sessions.google_meet_conferences (session_id, meeting_code, due_at) "
            "VALUES ($1, 'abc-mnop-xyz', now())",
            session_id,
        )
        await pool.execute(
            "INSERT INTO bot_sessions.timing_corrections (session_id, source, offset_ns, matched, "
            "reason, applied_by) VALUES ($1, 'captions', 1, 4, 'late', 'api')",
            session_id,
        )
        await archive.note_upload(UploadRow(session_id, 0, True, None))
    before = await rows_by_table(pool, "gone")
    assert all(before.values()), "a table is missing from the test"

    assert await erased(archive, "gone") == before

    assert set(before) == set(TABLES_OF_SESSION)
    assert not any((await rows_by_table(pool, "gone")).values())
    assert await rows_by_table(pool, "kept") == before
    with pytest.raises(UnknownSession):
        await archive.session("gone")


async def test_a_ping_is_answered(archive: PostgresArchive) -> None:
    assert await archive.ping() >= 0


async def test_a_description_may_hold_what_the_database_cannot(archive: PostgresArchive) -> None:
    spec = replace(SPEC, title="nul \x00", settings={"\x00": "\ud83d"})
    row, _ = await archive.create_session(spec)
    assert (row.spec.title, row.spec.settings) == ("nul \ufffd", {"\ufffd": "\ufffd"})


async def test_audio_heard_again_replaces_its_quality(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await fill(archive, journal, "s1")
    again = SessionChanges(qualities=[QualityRow(0, 400, 950, replace(HEARD, score=0.0))])
    await journal.commit("s1", 1, again)
    assert await archive.qualities("s1") == [QualitySummary(0, 2, 0.5, 25.0, 0.75, -20.0, 0.0)]


async def test_of_a_stream_s_clock_the_latest_estimate_stands_and_every_change(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await fill(archive, journal, "s1")
    again = SessionChanges(
        clocks=[stream_clock(160_000, -20.0)], clock_changes=[clock_change(150_000)]
    )
    for _ in range(2):
        await journal.commit("s1", 1, again)

    figures = await archive.statistics("s1")

    assert figures.clocks == (stream_clock(160_000, -20.0),)
    assert figures.clock_changes == (clock_change(70_000), clock_change(150_000))


async def test_a_claim_finds_the_streams_clocks_and_their_timelines(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await fill(archive, journal, "s1")
    later = [timeline_row(60_000, 2 * 10**9), timeline_row(90_000, 3 * 10**9)]
    await journal.commit("s1", 1, SessionChanges(timeline=[timeline_row(60_000, 1), *later]))

    claim = await journal.claim("s1", "actor-2")

    assert claim.clocks == {0: stream_clock(80_000)}
    assert claim.timeline == later


async def test_a_connection_s_id_is_above_all_that_were_given_before_by_whomever(
    archive: PostgresArchive, pool: Pool
) -> None:
    for session_id in ("s1", "s2"):
        await archive.create_session(SessionSpec(session_id))
    replicas = (archive, PostgresArchive(pool))
    ids = [
        await replicas[number % 2].new_connection_id(f"s{number % 3 % 2 + 1}")
        for number in range(40)
    ]
    assert ids == sorted(set(ids))
    with pytest.raises(UnknownSession):
        await archive.new_connection_id("nobody")


async def test_a_sessions_own_settings_and_languages_are_replaced(
    archive: PostgresArchive,
) -> None:
    spec = SessionSpec("own", title="Weekly", language="en", settings={"chunk_ms": 5000})
    await archive.create_session(spec)
    wanted = replace(
        spec, language=None, target_languages=("pt", "es"), settings={"overlap_ms": 3000}
    )
    row = await archive.configure_session("own", lambda _: wanted)
    assert row.spec == wanted
    assert await archive.session("own") == row
    with pytest.raises(UnknownSession):
        await archive.configure_session("nobody", lambda spec: spec)


async def test_a_session_that_is_over_takes_no_change(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await archive.create_session(SessionSpec("over", language="en"))
    await journal.claim("over", "actor")
    await journal.commit("over", 1, SessionChanges(status="completed"))
    with pytest.raises(SessionEnded):
        await archive.configure_session("over", lambda spec: replace(spec, language="pt"))
    assert (await archive.session("over")).spec.language == "en"


async def test_of_changes_that_come_at_once_none_is_lost_and_a_refused_one_leaves_nothing(
    archive: PostgresArchive, journal: PostgresJournal
) -> None:
    await archive.create_session(SessionSpec("own", settings={"chunk_ms": 5000}))

    def adding(name: str) -> Callable[[SessionSpec], SessionSpec]:
        return lambda spec: replace(spec, settings={**spec.settings, name: 1})

    def refuse(spec: SessionSpec) -> SessionSpec:
        raise BadRequest("They do not fit.")

    names = [f"setting_{number}" for number in range(6)]
    await asyncio.gather(*(archive.configure_session("own", adding(name)) for name in names))
    with pytest.raises(BadRequest):
        await archive.configure_session("own", refuse)
    spec = await journal.description("own")
    assert spec.settings == {"chunk_ms": 5000} | dict.fromkeys(names, 1)
    assert spec == (await archive.session("own")).spec
    with pytest.raises(UnknownSession):
        await journal.description("nobody")
