"""Corrections of sources, stored in PostgreSQL."""

from dataclasses import replace

import pytest

from orchestration.errors import UnknownSession
from orchestration.storage.journal_ports import SessionChanges
from orchestration.timing.alignment import (
    DEFAULT_TOLERANCE_NS,
    Source,
    corrections_for,
    synchronization_quality,
)
from tests.storage_values import erased
from tests.timed_meeting import (
    MEETING,
    MS,
    StoredMeeting,
    intervals,
    lines,
    turns,
)


async def test_a_correction_moves_its_source_and_nothing_else(stored: StoredMeeting) -> None:
    times = turns(10)
    said = lines(times)
    await stored.commit(SessionChanges(segments=said, speaker_intervals=intervals(times, 150 * MS)))
    before = await stored.archive.timing_measures("s1", MEETING)
    corrections = corrections_for(before, DEFAULT_TOLERANCE_NS)
    assert [(one.source, one.offset_ns) for one in corrections] == [
        (Source.SPEAKER_INTERVALS, 150 * MS)
    ]
    planned = await stored.archive.timing_measures(
        "s1", MEETING, {one.source: one.offset_ns for one in corrections}
    )
    quality = synchronization_quality(before), synchronization_quality(planned)
    assert quality == (0.7, 1.0)
    await stored.archive.correct_timing("s1", corrections, *quality, "Bea")

    assert await stored.archive.timing_measures("s1", MEETING) == planned
    page = await stored.archive.timeline(
        "s1", MEETING, 0, (Source.TRANSCRIPTS, Source.SPEAKER_INTERVALS), 200, None
    )
    by_source = {
        source: [(one.start_ns, one.end_ns) for one in page.items if one.source == source]
        for source in (Source.TRANSCRIPTS, Source.SPEAKER_INTERVALS)
    }
    assert by_source == {Source.TRANSCRIPTS: times, Source.SPEAKER_INTERVALS: times}
    assert {one.correction_ns for one in page.items} == {0, 150 * MS}
    related = [one.related[0].start_ns for one in page.items if one.related]
    assert related == [start_ns for start_ns, _ in times]
    assert [one.segment for one in await stored.archive.segments("s1")] == said

    applied = await stored.archive.timing_corrections("s1")
    assert [(one.correction, one.applied_by) for one in applied] == [(corrections[0], "Bea")]
    assert (applied[0].quality_before, applied[0].quality_after) == quality


async def test_a_later_correction_takes_the_place_of_the_earlier(stored: StoredMeeting) -> None:
    times = turns(10)
    await stored.commit(
        SessionChanges(segments=lines(times), speaker_intervals=intervals(times, 150 * MS))
    )
    measures = await stored.archive.timing_measures("s1", MEETING)
    wrong = replace(corrections_for(measures, 0)[0], offset_ns=999 * MS)
    await stored.archive.correct_timing("s1", [wrong], None, None, "Bea")
    measures = await stored.archive.timing_measures("s1", MEETING)
    assert measures[0].remaining_ns == -849 * MS
    await stored.archive.correct_timing("s1", corrections_for(measures, 0), None, None, "Bea")
    measures = await stored.archive.timing_measures("s1", MEETING)
    assert (measures[0].remaining_ns, measures[0].quality) == (0, 1.0)
    assert len(await stored.archive.timing_corrections("s1")) == 2


async def test_statistics_are_zero_and_then_count_what_is_stored(stored: StoredMeeting) -> None:
    figures = await stored.archive.timing_statistics()
    assert (figures.sessions, figures.corrections, figures.mean_abs_offset_ns) == (0, 0, 0)
    assert figures.mean_quality_before is None
    times = turns(10)
    await stored.commit(
        SessionChanges(segments=lines(times), speaker_intervals=intervals(times, -400 * MS))
    )
    found = corrections_for(await stored.archive.timing_measures("s1", MEETING), 0)
    await stored.archive.correct_timing("s1", found, 0.5, 1.0, "Bea")
    figures = await stored.archive.timing_statistics()
    assert (figures.sessions, figures.corrections) == (1, 1)
    assert figures.corrections_by_source["speaker_intervals"] == 1
    assert figures.mean_abs_offset_ns == 400 * MS
    assert (figures.mean_quality_before, figures.mean_quality_after) == (0.5, 1.0)


async def test_a_deleted_session_takes_its_corrections_along(stored: StoredMeeting) -> None:
    times = turns(10)
    await stored.commit(
        SessionChanges(segments=lines(times), speaker_intervals=intervals(times, 300 * MS))
    )
    found = corrections_for(await stored.archive.timing_measures("s1", MEETING), 0)
    await stored.archive.correct_timing("s1", found, None, None, "Bea")
    removed = await erased(stored.archive, "s1")
    assert removed["timing_corrections"] == 1
    assert (await stored.archive.timing_statistics()).corrections == 0
    with pytest.raises(UnknownSession):
        await stored.archive.correct_timing("s1", found, None, None, "Bea")
