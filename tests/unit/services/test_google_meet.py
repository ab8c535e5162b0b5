"""Google Meet's records over real HTTP, from a server that holds requests to the reference."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestration.errors import (
    ConfigurationError,
    GoogleMeetError,
    GoogleMeetMissing,
    GoogleMeetRefused,
)
from orchestration.meet.values import Attendee, Conference, Presence, Transcript, TranscriptEntry
from orchestration.services.google_credentials import GoogleCredentials, read_account
from orchestration.services.google_meet import MAX_PAGES, GoogleMeet
from tests.doubles.faulty_server import FaultMode
from tests.doubles.google_meet_server import SCOPE, GoogleMeetDouble

CALL = "conferenceRecords/call-1"
START_MS = 1_790_000_000_000
START = "2026-09-21T14:13:20Z"


class Meet:
    """A client of a double; `waits` are the pauses that it would have made."""

    def __init__(self, double: GoogleMeetDouble, timeout_s: float = 30) -> None:
        self.double = double
        self.waits: list[float] = []
        account = double.service_account
        self.credentials = GoogleCredentials(account, subject="host@example.org", timeout_s=5)
        self.client = GoogleMeet(
            double.url, self.credentials, timeout_s=timeout_s, tries=3, sleep=self._sleep
        )

    async def _sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[GoogleMeetDouble]:
    async with GoogleMeetDouble() as double:
        yield double


@pytest.fixture
async def meet(server: GoogleMeetDouble) -> AsyncIterator[Meet]:
    server.records = {"conferenceRecords": [], f"{CALL}/participants": []}
    server.mode, server.page_rows, server.token_lifetime_s = "ok", 1000, 3600
    for log in (server.requests, server.faults, server.failures, server.grants):
        log.clear()
    server.refuses_accounts = False
    meet = Meet(server)
    yield meet
    await meet.client.close()
    assert server.faults == []


async def test_conferences_of_a_code_are_found(meet: Meet) -> None:
    meet.double.hold("conferenceRecords/old", "abc-mnop-xyz", "2026-09-01T10:00:00Z")
    meet.double.hold("conferenceRecords/other", "xxx-mnop-xyz", START)
    meet.double.hold(CALL, "abc-mnop-xyz", START, "2026-09-21T15:13:20.250Z")
    assert await meet.client.conferences("abc-mnop-xyz", START_MS - 1000) == [
        Conference(CALL, "spaces/one", START_MS, START_MS + 3_600_250)
    ]


async def test_attendees_of_all_kinds_are_told_over_all_pages(meet: Meet) -> None:
    meet.double.page_rows = 2
    meet.double.records[f"{CALL}/participants"] = [
        {
            "name": f"{CALL}/participants/1",
            "earliestStartTime": "2026-09-21T14:13:20.123456789Z",
            "latestEndTime": "2026-09-21T14:14:20Z",
            "signedinUser": {"user": "users/1", "displayName": "Ana\nLima"},
        },
        {
            "name": f"{CALL}/participants/2",
            "earliestStartTime": START,
            "anonymousUser": {"displayName": "Ben"},
        },
        {
            "name": f"{CALL}/participants/3",
            "earliestStartTime": START,
            "phoneUser": {"displayName": "+1 ***-***-**42"},
        },
        {"name": f"{CALL}/participants/4", "somethingNew": {"displayName": "?"}},
        {"name": f"{CALL}/participants/5", "anonymousUser": {"displayName": "x" * 500}},
    ]
    assert await meet.client.attendees(CALL) == [
        Attendee(
            f"{CALL}/participants/1", "Ana Lima", "signed_in", START_MS + 123, START_MS + 60_000
        ),
        Attendee(f"{CALL}/participants/2", "Ben", "anonymous", START_MS, None),
        Attendee(f"{CALL}/participants/3", "+1 ***-***-**42", "phone", START_MS, None),
        Attendee(f"{CALL}/participants/5", "x" * 200, "anonymous", None, None),
    ]
    assert len(meet.double.requests) == 3


async def test_stays_transcripts_and_entries_are_read(meet: Meet) -> None:
    records = meet.double.records
    ana = f"{CALL}/participants/1"
    records[f"{ana}/participantSessions"] = [
        {"name": f"{ana}/participantSessions/b", "startTime": "2026-09-21T14:15:20Z"},
        {
            "name": f"{ana}/participantSessions/a",
            "startTime": START,
            "endTime": "2026-09-21T14:14:20Z",
        },
    ]
    records[f"{CALL}/transcripts"] = [
        {"name": f"{CALL}/transcripts/t", "state": "FILE_GENERATED", "startTime": START},
        {"name": f"{CALL}/transcripts/u", "state": "STATE_UNSPECIFIED"},
    ]
    records[f"{CALL}/transcripts/t/entries"] = [
        {
            "name": f"{CALL}/transcripts/t/entries/1",
            "participant": ana,
            "text": "Shall we begin?",
            "languageCode": "en-US",
            "startTime": START,
            "endTime": "2026-09-21T14:13:22.5Z",
        },
        {"name": f"{CALL}/transcripts/t/entries/2", "participant": ana, "text": "no time"},
    ]
    assert await meet.client.presences(ana) == [
        Presence(START_MS, START_MS + 60_000),
        Presence(START_MS + 120_000, None),
    ]
    assert await meet.client.transcripts(CALL) == [
        Transcript(f"{CALL}/transcripts/t", "FILE_GENERATED")
    ]
    assert await meet.client.entries(f"{CALL}/transcripts/t") == [
        TranscriptEntry(ana, "Shall we begin?", START_MS, START_MS + 2500)
    ]


async def test_an_endless_list_is_read_up_to_its_bound(meet: Meet) -> None:
    meet.double.page_rows = 1
    meet.double.records[f"{CALL}/participants"] = [
        {"name": f"{CALL}/participants/{number}", "anonymousUser": {"displayName": "Ben"}}
        for number in range(MAX_PAGES + 5)
    ]
    assert len(await meet.client.attendees(CALL)) == MAX_PAGES


async def test_a_service_account_stands_in_for_its_user_with_one_token(meet: Meet) -> None:
    for _ in range(3):
        await meet.client.attendees(CALL)
    (grant,) = meet.double.grants
    assert (grant["sub"], grant["scope"]) == ("host@example.org", SCOPE)
    assert grant["iss"] == "bot@meetings.iam.gserviceaccount.com"


async def test_a_token_about_to_expire_is_renewed(meet: Meet) -> None:
    meet.double.token_lifetime_s = 60
    await meet.client.attendees(CALL)
    await meet.client.attendees(CALL)
    assert len(meet.double.grants) == 2


async def test_a_revoked_token_is_renewed_once_and_the_request_repeated(meet: Meet) -> None:
    await meet.client.attendees(CALL)
    meet.double.revoked.add(await meet.credentials.token())
    await meet.client.attendees(CALL)
    assert len(meet.double.grants) == 2
    assert meet.waits == []


async def test_a_users_consent_works_like_a_service_account(
    server: GoogleMeetDouble, meet: Meet
) -> None:
    credentials = GoogleCredentials(server.authorized_user, subject=None, timeout_s=5)
    client = GoogleMeet(server.url, credentials, timeout_s=5, tries=1)
    assert await client.attendees(CALL) == []
    assert server.grants[-1]["refresh_token"] == "refresh-secret"
    await client.close()


async def test_an_account_that_google_does_not_take_is_refused_without_its_secrets(
    meet: Meet,
) -> None:
    meet.double.refuses_accounts = True
    with pytest.raises(GoogleMeetRefused, match="invalid_grant") as raised:
        await meet.client.attendees(CALL)
    assert "PRIVATE KEY" not in str(raised.value)


async def test_tokens_that_are_never_taken_end_in_a_refusal(meet: Meet) -> None:
    meet.double.failures.extend([(401, {})] * 2)
    with pytest.raises(GoogleMeetRefused, match="as told"):
        await meet.client.attendees(CALL)


@pytest.mark.parametrize(
    ("status", "kind"), [(403, GoogleMeetRefused), (404, GoogleMeetMissing), (400, GoogleMeetError)]
)
async def test_what_will_not_pass_is_not_tried_again(
    meet: Meet, status: int, kind: type[GoogleMeetError]
) -> None:
    meet.double.failures.extend([(status, {})] * 5)
    with pytest.raises(kind, match="as told"):
        await meet.client.attendees(CALL)
    assert len(meet.double.requests) == 1
    meet.double.failures.clear()


async def test_a_quota_is_waited_for_as_told(meet: Meet) -> None:
    meet.double.failures.append((429, {"Retry-After": "7"}))
    assert await meet.client.attendees(CALL) == []
    (wait_s,) = meet.waits
    assert wait_s >= 7


async def test_a_quota_that_takes_long_is_left_to_the_schedule(meet: Meet) -> None:
    meet.double.failures.append((429, {"Retry-After": "3600"}))
    with pytest.raises(GoogleMeetError, match="429"):
        await meet.client.attendees(CALL)
    assert meet.waits == []


async def test_errors_of_the_server_are_tried_three_times(meet: Meet) -> None:
    meet.double.failures.extend([(500, {}), (503, {})])
    assert await meet.client.attendees(CALL) == []
    assert len(meet.waits) == 2


@pytest.mark.parametrize("mode", ["garbage", "truncated", "html", "disconnect", "oversize"])
async def test_useless_answers_are_named_as_google_meets(meet: Meet, mode: FaultMode) -> None:
    meet.double.records[f"{CALL}/participants"] = [{"name": "a", "anonymousUser": {}}]
    meet.double.mode = mode
    with pytest.raises(GoogleMeetError):
        await meet.client.attendees(CALL)
    assert len(meet.waits) == 2


async def test_a_server_that_does_not_answer_is_tried_three_times(meet: Meet) -> None:
    meet.double.mode = "hang"
    hasty = Meet(meet.double, timeout_s=0.1)
    with pytest.raises(GoogleMeetError):
        await hasty.client.attendees(CALL)
    assert len(hasty.waits) == 2
    await hasty.client.close()


@pytest.mark.parametrize("raw", [b"[]", b'{"participants": 7}'])
async def test_answers_of_another_shape_are_errors(meet: Meet, raw: bytes) -> None:
    meet.double.raw = raw
    with pytest.raises(GoogleMeetError):
        await meet.client.attendees(CALL)
    meet.double.raw = None


@pytest.mark.parametrize(
    "content",
    ["", "secret{", "[]", "{}", '{"type": "service_account"}', '{"type": "authorized_user"}'],
)
def test_damaged_credentials_are_refused_without_showing_them(tmp_path: Path, content: str) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="Google's credentials") as raised:
        GoogleCredentials(read_account(None, file) or {}, subject=None, timeout_s=1)
    assert "secret{" not in str(raised.value)


def test_credentials_in_the_environment_go_before_a_file(tmp_path: Path) -> None:
    assert read_account(json.dumps({"type": "x"}), tmp_path / "missing") == {"type": "x"}
    assert read_account(None, None) is None
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_account(None, tmp_path / "missing")
