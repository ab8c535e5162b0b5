"""What every session journal promises."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from orchestration.errors import BadAudio, BadRequest, OrchestrationError
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import (
    JournalFact,
    ParticipantRow,
    SampleRange,
)
from orchestration.transcript.segments import SpeakerName
from tests.contracts.journaled_session import SESSION, claimed_journal, journaled, noted
from tests.storage_values import (
    ANA,
    FRAME_SAMPLES,
    event,
    frame,
    interval,
    losses,
    participant,
    progress,
    segment,
    stream_spec,
    translation,
)


@pytest.fixture
async def journal(pool: Pool, archive: PostgresArchive) -> PostgresJournal:
    return await claimed_journal(pool, archive)


async def test_frames_and_facts_come_back_as_they_were_appended(journal: PostgresJournal) -> None:
    frames = [frame(seq, content=bytes([seq]) * 3200) for seq in range(3)]
    facts = [JournalFact(0, {"type": "speaker", "name": "Ana"}), JournalFact(1, {"at": 1.5})]
    await journal.append(SESSION, 1, frames, facts)
    assert await journaled(journal) == frames
    assert await noted(journal) == facts


async def test_what_is_appended_again_is_stored_once_and_the_first_content_stands(
    journal: PostgresJournal,
) -> None:
    await journal.append(SESSION, 1, [frame(0), frame(1)], [JournalFact(0, {"first": True})])
    again = [frame(1, content=b"other"), frame(2)]
    await journal.append(SESSION, 1, again, [JournalFact(0, {"first": False})])
    assert await journaled(journal) == [frame(0), frame(1), frame(2)]
    assert await noted(journal) == [JournalFact(0, {"first": True})]


async def test_a_frame_of_a_stream_that_is_not_open_is_refused_with_its_batch(
    journal: PostgresJournal,
) -> None:
    with pytest.raises(BadAudio, match="no stream open"):
        await journal.append(SESSION, 1, [frame(0), frame(0, stream=7)], [JournalFact(0, {})])
    assert await journaled(journal) == []
    assert await noted(journal) == []


async def test_frames_are_found_from_the_one_that_ends_after_a_sample(
    journal: PostgresJournal,
) -> None:
    await journal.append(SESSION, 1, [frame(seq) for seq in range(4)], [])
    for sample, first in ((0, 0), (FRAME_SAMPLES - 1, 0), (FRAME_SAMPLES, 1), (10**9, 4)):
        found = await journaled(journal, sample)
        assert [one.seq for one in found] == list(range(first, 4))


async def test_frames_come_in_order_over_many_pages(journal: PostgresJournal) -> None:
    await journal.append(SESSION, 1, [frame(seq) for seq in reversed(range(600))], [])
    assert [one.seq for one in await journaled(journal)] == list(range(600))


async def test_hashes_are_of_each_streams_last_frames(journal: PostgresJournal) -> None:
    await journal.open_streams(SESSION, 1, [stream_spec(1)])
    frames = [frame(seq, stream=stream) for stream in (0, 1) for seq in range(3)]
    await journal.append(SESSION, 1, frames, [])
    hashes = await journal.recent_hashes(SESSION, 2)
    assert hashes == {(one.stream, one.seq): one.content_hash for one in frames if one.seq > 0}


async def test_a_known_stream_stays_as_it_is(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    await journal.open_streams(SESSION, 1, [stream_spec(0, "Eve"), stream_spec(1, "Ana")])
    specs = [row.spec for row in await archive.streams(SESSION)]
    assert specs == [stream_spec(0), stream_spec(1, "Ana")]


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(SessionChanges(translations=[translation(99)]), id="no such segment"),
        pytest.param(SessionChanges(speaker_intervals=[interval(5, 4)]), id="ends too early"),
        pytest.param(SessionChanges(events=[event(3)]), id="a hole before the events"),
        pytest.param(SessionChanges(events=[event(1), event(3)]), id="a hole within the events"),
    ],
)
async def test_a_commit_that_fails_leaves_nothing(
    journal: PostgresJournal, archive: PostgresArchive, failing: SessionChanges
) -> None:
    changes = SessionChanges(
        events=failing.events or [event(1)],
        segments=[segment(1)],
        translations=failing.translations,
        speaker_intervals=failing.speaker_intervals,
        participants=[participant()],
        streams=[progress(1000)],
        status="active",
    )
    before = await archive.snapshot(SESSION, 10)
    with pytest.raises(OrchestrationError):
        await journal.commit(SESSION, 1, changes)
    assert await archive.snapshot(SESSION, 10) == before
    assert await archive.participants(SESSION) == []
    assert (await archive.streams(SESSION))[0].progress is None


async def test_a_commit_may_be_repeated_when_its_answer_was_lost(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    changes = SessionChanges(
        events=[event(1), event(2)], segments=[segment(1)], translations=[translation(1)]
    )
    await journal.commit(SESSION, 1, changes)
    before = await archive.snapshot(SESSION, 10)
    await journal.commit(SESSION, 1, changes)
    assert await archive.snapshot(SESSION, 10) == before
    assert await archive.events(SESSION, 0, 10) == [event(1), event(2)]


async def test_of_a_segments_revisions_the_highest_stands(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    revised = segment(1, speaker=None, revision=3)
    await journal.commit(SESSION, 1, SessionChanges(segments=[segment(1), revised]))
    await journal.commit(SESSION, 1, SessionChanges(segments=[segment(1, revision=2)]))
    assert [one.segment for one in await archive.segments(SESSION)] == [revised]


async def test_progress_is_replaced_and_reasons_kept(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    skipped = SampleRange(100, 200, "capture_skipped")
    grown = (SampleRange(50, 60, "engine_failed"), SampleRange(100, 300, "capture_skipped"))
    for frontier, lost in ((1000, (skipped,)), (2000, grown), (3000, ())):
        changes = SessionChanges(streams=[progress(frontier)], losses=[losses(*lost)])
        await journal.commit(SESSION, 1, changes)
        (row,) = await archive.streams(SESSION)
        assert (row.progress, row.lost) == (progress(frontier), lost)


async def test_participants_and_intervals_are_completed_later(
    journal: PostgresJournal, archive: PostgresArchive, pool: Pool
) -> None:
    first = SessionChanges(participants=[participant()], speaker_intervals=[interval(0, None)])
    renamed = participant("Ana María")
    then = SessionChanges(
        participants=[renamed], speaker_intervals=[interval(0, 5)], zero_unix_ms=1_000_000
    )
    for changes in (first, then):
        await journal.commit(SESSION, 1, changes)
    assert await archive.participants(SESSION) == [renamed]
    assert await pool.fetchval("SELECT array_agg(end_ns) FROM bot_sessions.speaker_intervals") == [
        5
    ]
    joined_ms = "SELECT extract(epoch FROM join_time) * 1000 FROM bot_sessions.participants"
    assert await pool.fetchval(joined_ms) == 1_001_500


RIGHT_TO_LEFT = "\u202e\u05e9\u05dc\u05d5\u05dd\u202c e\u0301 \U0001f469\u200d\U0001f467"
HOSTILE_TEXTS: Sequence[tuple[str, str]] = (
    ("'; DROP TABLE bot_sessions.sessions; --", "'; DROP TABLE bot_sessions.sessions; --"),
    ('quotes "double" \\ {braces},[brackets)', 'quotes "double" \\ {braces},[brackets)'),
    (RIGHT_TO_LEFT, RIGHT_TO_LEFT),
    ("nul \x00 and \\u0000", "nul \ufffd and \\u0000"),
    ("half a pair \ud83d", "half a pair \ufffd"),
)


@pytest.mark.parametrize(("given", "stored"), HOSTILE_TEXTS)
async def test_any_text_is_stored_and_what_postgres_cannot_hold_is_replaced(
    journal: PostgresJournal, archive: PostgresArchive, given: str, stored: str
) -> None:
    changes = SessionChanges(
        events=[event(1, given)],
        segments=[segment(1, text=given, speaker=replace(ANA, speaker_id=given, name=given))],
        translations=[translation(1, text=given)],
        participants=[participant(given, given)],
    )
    await journal.append(SESSION, 1, [], [JournalFact(0, {given: [given]})])
    await journal.commit(SESSION, 1, changes)
    await journal.open_streams(SESSION, 1, [stream_spec(1, given)])

    assert await noted(journal) == [JournalFact(0, {stored: [stored]})]
    assert await archive.events(SESSION, 0, 10) == [event(1, stored)]
    (line,) = await archive.segments(SESSION)
    speaker = replace(ANA, speaker_id=stored, name=stored)
    assert line.segment == segment(1, text=stored, speaker=speaker)
    assert line.translations == (translation(1, text=stored).translation,)
    assert await archive.participants(SESSION) == [participant(stored, stored)]
    assert (await archive.streams(SESSION))[1].spec == stream_spec(1, stored)


async def test_a_number_that_is_not_finite_is_refused(journal: PostgresJournal) -> None:
    with pytest.raises(BadRequest):
        await journal.append(SESSION, 1, [], [JournalFact(0, {"at": float("nan")})])


async def test_a_leave_keeps_the_join_and_a_new_join_ends_the_leave(
    journal: PostgresJournal, archive: PostgresArchive
) -> None:
    ana = participant().participant
    steps: list[tuple[list[tuple[int | None, int | None]], tuple[int | None, int | None]]] = [
        ([(1, None), (None, None)], (1, None)),
        ([(None, 5)], (1, 5)),
        ([(None, None)], (1, 5)),
        ([(9, None)], (9, None)),
        ([(11, None), (None, 12)], (11, 12)),
    ]
    for rows, stored in steps:
        people = [ParticipantRow(ana, joined_ns, left_ns) for joined_ns, left_ns in rows]
        await journal.commit(SESSION, 1, SessionChanges(participants=people))
        assert await archive.participants(SESSION) == [ParticipantRow(ana, *stored)]


async def test_the_lines_of_some_speakers_are_read_in_order(journal: PostgresJournal) -> None:
    ben = SpeakerName("p2", "Ben", 0.5, "temporal")
    spoken = [segment(0), segment(1, speaker=ben), segment(2, speaker=None), segment(3)]
    await journal.commit(SESSION, 1, SessionChanges(segments=spoken))
    assert await journal.segments_of(SESSION, ["p1", "nobody"], None, 9) == [spoken[0], spoken[3]]
    assert await journal.segments_of(SESSION, ["p1"], None, 1) == [spoken[0]]
    after = (spoken[0].start_ns, spoken[0].segment_id)
    assert await journal.segments_of(SESSION, ["p1"], after, 9) == [spoken[3]]
    assert await journal.segments_of(SESSION, [], None, 9) == []
