"""Everything of a session on its one timeline, in PostgreSQL."""

import pytest

from orchestration.errors import BadRequest, UnknownSession
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.values import SessionSpec, SpeakerIntervalRow
from orchestration.timing.alignment import (
    Source,
    TimeWindow,
)
from tests.storage_values import participant, translation
from tests.timed_meeting import (
    ALL,
    MEETING,
    MS,
    SECOND,
    StoredMeeting,
    captions,
    intervals,
    line,
    lines,
    turns,
)

MANY_SESSIONS = """
INSERT INTO bot_sessions.sessions (session_id, idempotency_hash)
SELECT 's' || n, '' FROM generate_series(1, 4) n;
INSERT INTO bot_sessions.transcripts (session_id, transcript_id, stream, revision,
    transcript_text, language_code, start_ns, end_ns, words)
SELECT 's' || n, 't' || line, 0, 1, '', 'en', line * 1000000000, line * 1000000000 + 900000000,
    '[]'
FROM generate_series(1, 4) n, generate_series(0::bigint, 1799) line;
INSERT INTO bot_sessions.speaker_intervals (session_id, participant_id, start_ns, end_ns,
    speaker_name)
SELECT session_id, 'p1', start_ns, end_ns, 'Ana' FROM bot_sessions.transcripts;
ANALYZE bot_sessions.transcripts, bot_sessions.speaker_intervals;
"""


async def test_every_source_lies_on_one_timeline(stored: StoredMeeting) -> None:
    said = [line(n, n * 10 * SECOND, (n * 10 + 5) * SECOND) for n in (1, 2, 3)]
    await stored.commit(
        SessionChanges(
            segments=said,
            translations=[translation(2)],
            participants=[participant()],
            speaker_intervals=intervals([(20 * SECOND, 25 * SECOND)]),
        )
    )
    await stored.tell(captions([said[1]]))
    await stored.correlate([said[1]], 0)
    await stored.file(16_000 * 15, 16_000 * 30)
    page = await stored.archive.timeline(
        "s1", TimeWindow(21 * SECOND, 22 * SECOND), 0, ALL, 50, None
    )
    assert {(one.source, one.row_id) for one in page.items} == {
        (Source.AUDIO, "0"),
        (Source.AUDIO, "00000-000000000240000-000000000480000.flac"),
        (Source.TRANSCRIPTS, "segment-2"),
        (Source.TRANSLATIONS, "segment-2:pt"),
        (Source.SPEAKER_INTERVALS, f"p1:{20 * SECOND}"),
        (Source.CAPTIONS, "fact-0"),
        (Source.CORRELATIONS, "c-segment-2"),
        (Source.PARTICIPANTS, "p1"),
    }
    spoken = next(one for one in page.items if one.source == Source.TRANSCRIPTS)
    assert [(one.source, one.row_id) for one in spoken.related] == [
        (Source.AUDIO, "00000-000000000240000-000000000480000.flac"),
        (Source.CAPTIONS, "fact-0"),
        (Source.CORRELATIONS, "c-segment-2"),
        (Source.SPEAKER_INTERVALS, f"p1:{20 * SECOND}"),
        (Source.TRANSLATIONS, "segment-2:pt"),
    ]
    assert {(one.start_ns, one.end_ns) for one in spoken.related[1:]} == {
        (20 * SECOND, 25 * SECOND)
    }


async def test_what_only_touches_a_window_is_in_it_with_a_tolerance_alone(
    stored: StoredMeeting,
) -> None:
    await stored.commit(SessionChanges(segments=[line(1, 10 * SECOND, 20 * SECOND)]))
    for start_s, end_s in ((20, 30), (5, 10)):
        window = start_s * SECOND, end_s * SECOND
        assert await stored.ids(*window, Source.TRANSCRIPTS) == []
        assert await stored.ids(*window, Source.TRANSCRIPTS, tolerance_ns=1) == ["segment-1"]


async def test_a_moment_and_what_still_goes_on_are_in_their_windows(stored: StoredMeeting) -> None:
    await stored.commit(
        SessionChanges(
            speaker_intervals=[
                SpeakerIntervalRow("p1", "Ana", 5 * SECOND, 5 * SECOND),
                SpeakerIntervalRow("p1", "Ana", 8 * SECOND, None),
            ]
        )
    )
    who = Source.SPEAKER_INTERVALS
    assert await stored.ids(5 * SECOND, 6 * SECOND, who) == [f"p1:{5 * SECOND}"]
    assert await stored.ids(3000 * SECOND, 3001 * SECOND, who) == [f"p1:{8 * SECOND}"]


@pytest.mark.parametrize("limit", [1, 3, 7, 200])
async def test_pages_of_any_size_hold_every_row_once_in_order(
    stored: StoredMeeting, limit: int
) -> None:
    said = lines(turns(6))
    spoken = intervals(turns(6))
    await stored.commit(SessionChanges(segments=said, speaker_intervals=spoken))
    await stored.tell(captions(said))
    ids = await stored.ids(0, 4000 * SECOND, limit=limit)
    assert ids == await stored.ids(0, 4000 * SECOND)
    assert len(ids) == len(set(ids)) == 1 + 3 * 6


async def test_sessions_do_not_mix(stored: StoredMeeting) -> None:
    times = turns(10)
    await stored.create("s2")
    await stored.commit(SessionChanges(segments=lines(times)))
    await stored.commit(SessionChanges(speaker_intervals=intervals(times, 900 * MS)), "s2")
    assert await stored.measure(Source.SPEAKER_INTERVALS) is None
    assert await stored.ids(0, 4000 * SECOND, Source.SPEAKER_INTERVALS) == []


async def test_an_empty_session_has_an_empty_timeline(pool: Pool) -> None:
    archive = PostgresArchive(pool)
    await archive.create_session(SessionSpec("empty"))
    assert (await archive.timeline("empty", MEETING, 0, ALL, 9, None)).items == []
    assert await archive.timing_measures("empty", MEETING) == []
    assert await archive.timing_corrections("empty") == []


async def test_an_unknown_session_is_said_to_be_unknown(pool: Pool) -> None:
    archive = PostgresArchive(pool)
    with pytest.raises(UnknownSession):
        await archive.timeline("nobody", MEETING, 0, ALL, 9, None)
    with pytest.raises(UnknownSession):
        await archive.timing_measures("nobody", MEETING)
    with pytest.raises(UnknownSession):
        await archive.timing_corrections("nobody")


async def test_a_cursor_that_was_not_given_is_refused(stored: StoredMeeting) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        await stored.archive.timeline("s1", MEETING, 0, ALL, 9, "WzFd")


async def test_a_minute_late_in_a_meeting_is_found_by_its_range(pool: Pool) -> None:
    """Among sessions of the same length, and not by reading all that came before it."""
    async with pool.acquire() as connection:
        await connection.execute(MANY_SESSIONS)
        for table in ("transcripts", "speaker_intervals"):
            plan = await connection.fetchval(
                f"EXPLAIN (FORMAT JSON) SELECT * FROM bot_sessions.{table}"
                " WHERE session_id = 's3' AND bot_sessions.session_span(start_ns, end_ns)"
                " && int8range(1700000000000, 1760000000000)"
            )
            assert f"{table}_span" in plan
