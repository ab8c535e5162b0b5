"""Google Meet's records as evidence and as repair, over PostgreSQL and real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.meet import follower
from orchestration.meet.schedule import (
    FAILED_LONGEST_WAIT_MS,
    FAILED_PATIENCE_MS,
    TRANSCRIPT_FIRST_MS,
    TRANSCRIPT_LONGEST_WAIT_MS,
)
from orchestration.speakers.corrections import (
    MapSpeaker,
    MergeSpeakers,
    Person,
    RenameSpeaker,
)
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.values import SessionSpec
from orchestration.transcript.segments import Segment
from tests.database import execute, temporary_server
from tests.doubles.google_meet_server import GoogleMeetDouble
from tests.integration.google_meeting import (
    ANA,
    BEN,
    CALL,
    CODE,
    END,
    INTERVAL_MS,
    MINUTE_MS,
    PATIENCE_MS,
    SECOND_4,
    START,
    START_MS,
    Meeting,
)
from tests.storage_values import erased, participant, segment


@pytest.fixture(scope="module")
def server_dsn() -> Iterator[str]:
    with temporary_server() as dsn:
        yield dsn


@pytest.fixture
async def pool(server_dsn: str) -> AsyncIterator[Pool]:
    await migrate(server_dsn, connect_timeout_s=10)
    await execute(server_dsn, "DELETE FROM bot_sessions.sessions")
    opened = await connect_pool(server_dsn, min_size=1, max_size=4, connect_timeout_s=10)
    yield opened
    await opened.close()


@pytest.fixture
async def google() -> AsyncIterator[GoogleMeetDouble]:
    async with GoogleMeetDouble() as double:
        yield double
    assert double.faults == []


@pytest.fixture
async def meeting(pool: Pool, google: GoogleMeetDouble, tmp_path: Path) -> AsyncIterator[Meeting]:
    google.hold(CALL, CODE, START)
    google.records[f"{CALL}/transcripts"] = []
    google.records[f"{CALL}/participants"] = []
    for name, shown in ((ANA, "Ana"), (BEN, "Ben")):
        google.records[f"{CALL}/participants"].append(
            {
                "name": name,
                "earliestStartTime": START,
                "signedinUser": {"user": "users/1", "displayName": shown},
            }
        )
        google.records[f"{name}/participantSessions"] = [
            {"name": f"{name}/participantSessions/x", "startTime": START, "endTime": END}
        ]
    meeting = Meeting(pool, google, tmp_path)
    yield meeting
    for runner in meeting.actors.runners.values():
        await runner.stop()
    await meeting.client.close()


async def completed(meeting: Meeting, *segments: Segment) -> int:
    """A session with Ana, seen by the bot, is over; when its transcript is looked for first."""
    await meeting.begin(*segments, people=[participant("Ana")])
    await meeting.follower.look(START_MS)
    await meeting.end()
    meeting.google.records["conferenceRecords"][0]["endTime"] = END
    now_ms = START_MS + 61 * MINUTE_MS
    await meeting.follower.look(now_ms)
    assert await meeting.job() == (
        "awaiting",
        now_ms - START_MS + TRANSCRIPT_FIRST_MS,
        0,
        "",
    )
    return now_ms + TRANSCRIPT_FIRST_MS


async def test_attendees_whom_the_bot_misses_join_the_running_session(meeting: Meeting) -> None:
    await meeting.begin(people=[participant("Ana")])
    await meeting.run()
    now_ms = START_MS + 2 * MINUTE_MS
    assert await meeting.follower.look(now_ms) == 1
    async with asyncio.timeout(60):
        while len(await meeting.archive.participants("s")) < 2:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)
    people = await meeting.archive.participants("s")
    assert [(one.participant.participant_id, one.joined_ns) for one in people] == [
        (BEN, 0),
        ("p1", 1_500_000_000),
    ]
    (event,) = await meeting.events()
    assert (event["type"], event["event"], event["at"]) == ("participant", "join", 0.0)
    assert await meeting.job() == ("following", 2 * MINUTE_MS + INTERVAL_MS, 0, "")
    stored = await meeting.pool.fetchrow(
        "SELECT s.conference_record_id, s.google_meet_space_id, p.google_participant_id "
        "FROM bot_sessions.sessions s JOIN bot_sessions.participants p USING (session_id) "
        "WHERE participant_id = 'p1'"
    )
    assert stored is not None
    assert tuple(stored) == (CALL, "spaces/one", ANA)
    assert await meeting.follower.look(now_ms + INTERVAL_MS) == 1
    assert len(await meeting.events()) == 1


async def test_two_pollers_never_look_after_one_session_at_once(meeting: Meeting) -> None:
    await meeting.begin()
    other = meeting.another_follower()
    looked = await asyncio.gather(meeting.follower.look(START_MS), other.look(START_MS))
    assert sorted(looked) == [0, 1]
    assert await other.look(START_MS + INTERVAL_MS) == 1


async def test_what_a_dead_poller_had_leased_is_taken_up_by_another(meeting: Meeting) -> None:
    await meeting.begin()
    await meeting.jobs.enrol(START_MS)
    assert len(await meeting.jobs.lease(START_MS, 120_000, 10)) == 1
    assert await meeting.follower.look(START_MS + 119_999) == 0
    assert await meeting.follower.look(START_MS + 120_000) == 1


async def test_a_meeting_code_is_known_alone_and_in_its_address(meeting: Meeting) -> None:
    meeting_ids = {
        "alone": "abc-mnop-xyz",
        "shouted": " ABC-mnop-xyz ",
        "address": "https://meet.google.com/abc-mnop-xyz?authuser=0",
        "bare": "meet.google.com/abc-mnop-xyz",
        "elsewhere": "https://example.org/abc-mnop-xyz",
        "words": "weekly-team-sync",
        "empty": "",
        "none": None,
    }
    for session_id, meeting_id in meeting_ids.items():
        spec = SessionSpec(session_id, meeting_id=meeting_id)
        await meeting.archive.create_session(spec)
    await meeting.jobs.enrol(START_MS)
    jobs = await meeting.jobs.lease(START_MS, 1, len(meeting_ids))
    assert {job.session_id: job.meeting_code for job in jobs} == dict.fromkeys(
        ("alone", "shouted", "address", "bare"), "abc-mnop-xyz"
    )


async def test_sessions_of_other_platforms_are_not_asked_about(meeting: Meeting) -> None:
    await meeting.archive.create_session(SessionSpec("other", meeting_id="weekly"))
    await meeting.archive.create_session(SessionSpec("none"))
    assert await meeting.follower.look(START_MS) == 0
    assert meeting.google.requests == []


async def test_lines_without_a_name_get_it_from_the_transcript_after_the_meeting(
    meeting: Meeting,
) -> None:
    unnamed = segment(4, text="shall we begin with it", speaker=None)
    named = segment(2, text="good morning everybody here")
    due_ms = await completed(meeting, unnamed, named)
    meeting.write_down(
        (ANA, "Good morning, everybody here!", "2026-09-21T14:13:22Z", "2026-09-21T14:13:23Z"),
        (BEN, "Shall we begin with it?", SECOND_4, "2026-09-21T14:13:25Z"),
    )
    assert await meeting.follower.look(due_ms) == 1
    kept, given = [one.segment for one in await meeting.archive.segments("s")]
    assert kept == named
    assert given.speaker is not None
    assert (given.speaker.name, given.speaker.method, given.revision) == (
        "Ben",
        "google_meet_api",
        2,
    )
    join, repaint = await meeting.events()
    assert (join["type"], repaint["type"]) == ("participant", "speaker")
    assert repaint["segments"] == [{"segment_id": "segment-4", "revision": 2}]
    speaker = repaint["speaker"]
    assert isinstance(speaker, dict)
    assert (speaker["id"], speaker["name"]) == (BEN, "Ben")
    phase, _, _, detail = await meeting.job()
    assert (phase, detail) == ("repaired", "Lines named: 1.")
    stays = await meeting.pool.fetchval(
        "SELECT participant_metadata->'google_meet_sessions' FROM bot_sessions.participants "
        "WHERE participant_id = 'p1'"
    )
    assert stays == [{"joined": "2026-09-21T14:13:20.000Z", "left": "2026-09-21T15:13:20.000Z"}]
    assert await meeting.follower.look(due_ms + PATIENCE_MS) == 0


async def test_a_transcript_that_comes_late_is_waited_for_ever_longer(meeting: Meeting) -> None:
    now_ms = await completed(meeting, segment(4, text="shall we begin", speaker=None))
    for wait_ms in (2 * MINUTE_MS, 4 * MINUTE_MS, 8 * MINUTE_MS, TRANSCRIPT_LONGEST_WAIT_MS):
        assert await meeting.follower.look(now_ms) == 1
        phase, due_ms, _, _ = await meeting.job()
        assert (phase, START_MS + due_ms - now_ms) == ("awaiting", wait_ms)
        now_ms += wait_ms
    meeting.google.records[f"{CALL}/transcripts"] = [
        {"name": f"{CALL}/transcripts/t", "state": "STARTED"}
    ]
    await meeting.follower.look(now_ms)
    assert (await meeting.job())[0] == "awaiting"
    now_ms += TRANSCRIPT_LONGEST_WAIT_MS
    meeting.write_down((BEN, "shall we begin", SECOND_4, "2026-09-21T14:13:25Z"))
    await meeting.another_follower().look(now_ms)
    assert (await meeting.job())[0] == "repaired"


async def test_stays_that_cannot_be_read_keep_no_names_from_being_settled(
    meeting: Meeting,
) -> None:
    due_ms = await completed(meeting, segment(4, text="shall we begin with it", speaker=None))
    meeting.write_down((BEN, "Shall we begin with it?", SECOND_4, "2026-09-21T14:13:25Z"))
    del meeting.google.records[f"{BEN}/participantSessions"]
    await meeting.follower.look(due_ms)
    assert (await meeting.job())[0] == "repaired"
    stays = await meeting.pool.fetch(
        "SELECT participant_id FROM bot_sessions.participants "
        "WHERE participant_metadata ? 'google_meet_sessions'"
    )
    assert [row[0] for row in stays] == ["p1"]


async def test_stays_that_take_too_long_are_left_out(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PRESENCES_TIMEOUT_S", 0)
    due_ms = await completed(meeting, segment(4, text="shall we begin with it", speaker=None))
    meeting.write_down((BEN, "Shall we begin with it?", SECOND_4, "2026-09-21T14:13:25Z"))
    await meeting.follower.look(due_ms)
    assert (await meeting.job())[0] == "repaired"


async def test_google_that_refuses_for_ever_is_not_asked_for_ever(meeting: Meeting) -> None:
    now_ms = await completed(meeting)
    last_ms = START_MS + 3_600_000 + PATIENCE_MS + FAILED_PATIENCE_MS
    before_ms = last_ms - FAILED_LONGEST_WAIT_MS
    for at_ms, phase in ((now_ms, "awaiting"), (before_ms, "awaiting"), (last_ms, "given_up")):
        meeting.google.failures.append((403, {}))
        assert await meeting.follower.look(at_ms) == 1
        assert (await meeting.job())[0] == phase
    assert "credentials" in (await meeting.job())[3]
    assert await meeting.follower.look(last_ms + FAILED_PATIENCE_MS) == 0


async def test_a_transcript_that_never_comes_is_given_up(meeting: Meeting) -> None:
    await completed(meeting)
    await meeting.follower.look(START_MS + 3_600_000 + PATIENCE_MS)
    phase, _, _, detail = await meeting.job()
    assert (phase, detail) == ("given_up", "Google Meet has no transcript.")
    people = await meeting.archive.participants("s")
    assert {one.participant.name for one in people} == {"Ana", "Ben"}


async def test_a_conference_that_the_account_may_not_see_is_given_up(meeting: Meeting) -> None:
    await completed(meeting)
    meeting.google.records["conferenceRecords"] = []
    await meeting.follower.look(START_MS + 3_600_000 + PATIENCE_MS)
    phase, _, _, detail = await meeting.job()
    assert (phase, detail) == (
        "given_up",
        "Google Meet has no conference of this code for this account.",
    )


async def test_a_session_that_has_an_actor_again_is_left_to_it(meeting: Meeting) -> None:
    due_ms = await completed(meeting, segment(4, text="shall we begin", speaker=None))
    meeting.write_down((BEN, "shall we begin", SECOND_4, "2026-09-21T14:13:25Z"))
    runner = await meeting.run()
    await meeting.follower.look(due_ms)
    assert (await meeting.job())[0] == "awaiting"
    assert not runner.is_replaced


async def test_refused_credentials_are_tried_again_every_ten_minutes(meeting: Meeting) -> None:
    await meeting.begin()
    meeting.google.records[f"{CALL}/participants"] = []
    meeting.google.failures.append((403, {}))
    await meeting.follower.look(START_MS)
    phase, due_ms, attempts, detail = await meeting.job()
    assert (phase, due_ms, attempts) == ("following", FAILED_LONGEST_WAIT_MS, 1)
    assert "403" in detail
    assert meeting.follower.detail == detail
    await meeting.follower.look(START_MS + FAILED_LONGEST_WAIT_MS)
    assert await meeting.job() == (
        "following",
        FAILED_LONGEST_WAIT_MS + INTERVAL_MS,
        0,
        "",
    )
    assert meeting.follower.detail == ""


async def test_failures_are_asked_about_ever_later(meeting: Meeting) -> None:
    await meeting.begin()
    now_ms = START_MS
    for wait_ms in (60_000, 120_000, 240_000):
        meeting.google.failures.append((500, {}))
        await meeting.follower.look(now_ms)
        _, due_ms, _, _ = await meeting.job()
        assert START_MS + due_ms - now_ms == wait_ms
        now_ms += wait_ms


async def test_a_deleted_session_takes_its_conference_along(meeting: Meeting) -> None:
    await meeting.begin()
    await meeting.follower.look(START_MS)
    removed = await erased(meeting.archive, "s")
    assert removed["google_meet_conferences"] == 1
    assert await meeting.follower.look(START_MS + INTERVAL_MS) == 0


async def test_what_meet_wrote_down_is_kept_as_evidence_and_outweighs_no_correction(
    meeting: Meeting,
) -> None:
    due_ms = await completed(
        meeting,
        segment(4, text="shall we begin", speaker=None),
        segment(8, text="the numbers are good", speaker=None),
    )
    runner = await meeting.run()
    clara = MapSpeaker(Person("c1", "Clara"), segment_id="segment-8")
    assert await runner.correct(clara) == 1
    await runner.stop()
    runner = await meeting.run()
    assert await runner.correct(RenameSpeaker("p1", "Ana Lima")) == 0
    await runner.stop()
    del meeting.actors.runners["s"]
    meeting.write_down(
        (ANA, "shall we begin", SECOND_4, "2026-09-21T14:13:25Z"),
        (BEN, "the numbers are good", "2026-09-21T14:13:28Z", "2026-09-21T14:13:29Z"),
    )
    await meeting.follower.look(due_ms)
    lines = [one.segment.speaker for one in await meeting.archive.segments("s")]
    assert [(one.name, one.method) for one in lines if one] == [
        ("Ana Lima", "google_meet_api"),
        ("Clara", "manual"),
    ]
    page = await meeting.archive.correlations("s", 0, 10**12, 10, None)
    by_line = {one.source: one for one in page.items}
    entries: Any = by_line["segment-4"].evidence["entries"]
    assert [one["text"] for one in entries] == ["shall we begin"]
    assert by_line["segment-4"].kind == "interpolated"


async def test_somebody_whom_only_meet_tells_of_is_renamed_after_the_end(meeting: Meeting) -> None:
    due_ms = await completed(meeting, segment(4, text="shall we begin", speaker=None))
    meeting.write_down((BEN, "shall we begin", SECOND_4, "2026-09-21T14:13:25Z"))
    await meeting.follower.look(due_ms)
    runner = await meeting.run()
    assert await runner.correct(MergeSpeakers("p1", BEN)) == 0
    await runner.stop()
    runner = await meeting.run()
    assert await runner.correct(RenameSpeaker(BEN, "Benedict")) == 1
    (line,) = await meeting.archive.segments("s")
    assert line.segment.speaker is not None
    assert (line.segment.speaker.name, line.segment.speaker.method) == (
        "Benedict",
        "google_meet_api",
    )
