"""How far each source of a session is off its clock, found in PostgreSQL."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from orchestration.session.inputs import ClockFact, SampleMoment
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import SpeakerIntervalRow
from orchestration.timing.alignment import Source
from tests.storage_values import participant
from tests.timed_meeting import (
    MEETING,
    MS,
    SECOND,
    ZERO_UNIX_MS,
    StoredMeeting,
    Times,
    captions,
    intervals,
    lines,
    turns,
)


@pytest.mark.parametrize("offset_ms", [-1200, -150, 0, 40, 150, 900, 3300])
@pytest.mark.parametrize("own_stream", [True, False])
async def test_late_speaking_events_are_found_to_the_millisecond(
    stored: StoredMeeting, offset_ms: int, own_stream: bool
) -> None:
    times = turns(30)
    said = lines(times, "p1" if own_stream else None)
    await stored.commit(
        SessionChanges(segments=said, speaker_intervals=intervals(times, offset_ms * MS))
    )
    found = await stored.measure(Source.SPEAKER_INTERVALS)
    assert found is not None
    assert found.is_told
    assert abs(found.offset_ns - offset_ms * MS) <= 10 * MS
    assert found.matched == 30


@pytest.mark.parametrize("jitter_ms", [30, 100])
async def test_a_jittering_indicator_has_its_median_found(
    stored: StoredMeeting, jitter_ms: int
) -> None:
    random, times = Random(3), turns(300)
    late = [
        SpeakerIntervalRow("p1", "Ana", start + 800 * MS + jitter, end + 800 * MS + jitter)
        for start, end in times
        for jitter in [round(random.gauss(0, jitter_ms * MS))]
    ]
    await stored.commit(SessionChanges(segments=lines(times), speaker_intervals=late))
    found = await stored.measure(Source.SPEAKER_INTERVALS)
    assert found is not None
    assert found.is_told
    assert abs(found.offset_ns - 800 * MS) <= 10 * MS + jitter_ms * MS // 10
    assert 0 < found.spread_ns <= jitter_ms * MS


@pytest.mark.parametrize("offset_ms", [-700, 0, 150, 2500])
async def test_captions_are_placed_by_their_words(stored: StoredMeeting, offset_ms: int) -> None:
    said = lines(turns(12))
    await stored.commit(SessionChanges(segments=said))
    await stored.tell(captions(said, offset_ms * MS))
    found = await stored.measure(Source.CAPTIONS)
    assert found is not None
    assert found.is_told
    assert abs(found.offset_ns - offset_ms * MS) <= 10 * MS


async def test_captions_by_sample_need_no_wall_clock(stored: StoredMeeting) -> None:
    said = lines(turns(6))
    await stored.commit(SessionChanges(segments=said))
    late = [
        replace(
            one,
            start=SampleMoment(0, (said[n].start_ns + 250 * MS) * 16 // MS),
            end=SampleMoment(0, 2**62),
        )
        for n, one in enumerate(captions(said))
    ]
    await stored.tell(late)
    found = await stored.measure(Source.CAPTIONS)
    assert found is not None
    assert abs(found.offset_ns - 250 * MS) <= 10 * MS
    assert len(await stored.ids(0, 4000 * SECOND, Source.CAPTIONS)) == 6


async def test_correlations_and_sender_stamps_have_their_own_offsets(stored: StoredMeeting) -> None:
    said = lines(turns(6))
    await stored.commit(SessionChanges(segments=said))
    await stored.correlate(said, -320 * MS)
    await stored.tell(
        [ClockFact(n, 0, n * 80_000, ZERO_UNIX_MS + n * 5000 + 70) for n in range(10)]
    )
    measures = await stored.archive.timing_measures("s1", MEETING)
    assert {one.source: one.offset_ns // MS for one in measures if one.is_told} == {
        Source.CORRELATIONS: -320,
        Source.AUDIO: 70,
    }


def _every_third(times: Times) -> Times:
    return times[::3]


def _second_half(times: Times) -> Times:
    return times[len(times) // 2 :]


def _with_more(times: Times) -> Times:
    return sorted([*times, *((start + 987 * MS, end) for start, end in times[::2])])


@pytest.mark.parametrize("lose", [_every_third, _second_half, _with_more])
@pytest.mark.parametrize("side", ["lines", "intervals"])
async def test_lists_of_unequal_length_make_no_drift(
    stored: StoredMeeting, lose: Callable[[Times], Times], side: str
) -> None:
    times = turns(60)
    fewer = lose(times)
    said, told = (fewer, times) if side == "lines" else (times, fewer)
    await stored.commit(SessionChanges(segments=lines(said), speaker_intervals=intervals(told)))
    found = await stored.measure(Source.SPEAKER_INTERVALS)
    assert found is not None
    assert found.is_told
    assert found.offset_ns == 0


@pytest.mark.parametrize("seed", range(5))
async def test_lists_that_have_nothing_in_common_have_no_offset(
    stored: StoredMeeting, seed: int
) -> None:
    await stored.commit(
        SessionChanges(
            segments=lines(turns(40, seed)), speaker_intervals=intervals(turns(40, seed + 100))
        )
    )
    found = await stored.measure(Source.SPEAKER_INTERVALS)
    assert found is None or not found.is_told


async def test_too_few_rows_tell_no_offset(stored: StoredMeeting) -> None:
    times = turns(3)
    await stored.commit(
        SessionChanges(segments=lines(times), speaker_intervals=intervals(times, 500 * MS))
    )
    found = await stored.measure(Source.SPEAKER_INTERVALS)
    assert found is not None
    assert not found.is_told


async def test_a_bots_own_speaking_says_nothing(stored: StoredMeeting) -> None:
    times = turns(10)
    bot = participant()
    bot = replace(bot, participant=replace(bot.participant, is_bot=True))
    await stored.commit(
        SessionChanges(
            segments=lines(times), speaker_intervals=intervals(times), participants=[bot]
        )
    )
    assert await stored.measure(Source.SPEAKER_INTERVALS) is None
