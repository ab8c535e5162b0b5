"""The HTTP API over its doubles: shapes, limits, problems."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from orchestration.api import health, transcripts
from orchestration.api.ports import HealthReport, ServiceHealth
from orchestration.audio.pcm import PcmFormat
from orchestration.errors import DatabaseUnavailable, JsonObject
from orchestration.health.alerts import Alert
from orchestration.health.integrations import Integration
from orchestration.session.inputs import ParticipantRef, StreamSpec
from orchestration.storage.alert_ports import AlertChange
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.values import (
    JournalFrame,
    ParticipantRow,
    SampleRange,
    StreamProgress,
    StreamRow,
)
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord
from tests.doubles.api_server import ApiServer, api_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        yield running


async def filled(server: ApiServer) -> None:
    """Session s1 with a line, a stream of 1,000 samples, and a participant."""
    session = await server.session(language="en")
    word = TimedWord("Hello.", 0, 500_000_000, 0.9)
    speaker = SpeakerName("p1", "Ana", 1.0, "own_stream")
    line = Segment("g0", 1, 0, 0, 500_000_000, speaker, "en", (word,))
    stored = session.stored
    stored.segments.append(StoredSegment(line, ()))
    spec = StreamSpec(0, PcmFormat("s16le", 16_000, 1))
    ranges = (SampleRange(0, 600),), (SampleRange(600, 700),), (SampleRange(700, 750, "overload"),)
    progress = StreamProgress(0, 0, 900, 900, *ranges)
    stored.streams[0] = StreamRow(spec, 2, 1000, None, progress)
    payload = b"\x01\x00" * 500
    stored.frames[0] = [JournalFrame(0, n, n * 500, 500, bytes(16), payload) for n in range(2)]
    stored.participants.append(ParticipantRow(ParticipantRef("p1", "Ana"), 0, None))
    for number in range(3):
        session.emit("alert", {"level": "info", "code": "x", "message": str(number)})


async def test_a_session_is_created_with_the_addresses_to_use(server: ApiServer) -> None:
    body = {"title": "Weekly", "language": "en", "target_languages": ["pt", "pt"], "later": 1}
    status, session = await server.json("POST", "/api/sessions", json=body)

    assert status == 201
    session_id = session["session_id"]
    assert session["status"] == "created"
    assert session["target_languages"] == ["pt"]
    assert session["ingest_url"] == f"ws://{server.host}/ws/ingest/{session_id}"
    assert session["live_url"] == f"ws://{server.host}/ws/live/{session_id}"
    assert await server.json("GET", f"/api/sessions/{session_id}") == (200, session)


async def test_the_same_session_again_is_found_and_another_is_a_conflict(
    server: ApiServer,
) -> None:
    body = {"session_id": "s1", "title": "Weekly"}
    first = await server.json("POST", "/api/sessions", json=body)
    again = await server.json("POST", "/api/sessions", json=body)
    other = await server.json("POST", "/api/sessions", json=body | {"title": "Daily"})

    assert (first[0], again) == (201, (200, first[1]))
    assert (other[0], other[1]["code"]) == (409, "session_conflict")


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_id": "a b"},
        {"session_id": ""},
        {"session_id": "a" * 65},
        {"session_id": "s1\n"},
        {"session_id": 7},
        {"title": "a" * 501},
        {"meeting_id": "a" * 256},
        {"language": "english"},
        {"target_languages": ["pt"] * 17},
        {"target_languages": "pt"},
        {"settings": 7},
    ],
)
async def test_a_wrong_session_is_a_problem_that_names_the_field(
    server: ApiServer, wrong: JsonObject
) -> None:
    status, problem = await server.json("POST", "/api/sessions", json=wrong)

    assert (status, problem["status"], problem["code"]) == (422, 422, "invalid_request")
    errors: Any = problem["errors"]
    assert next(iter(wrong)) in errors[0]["field"]


@pytest.mark.parametrize(
    "settings",
    [{"chunk_ms": "long"}, {"chunk_ms": 1}, {"speed": 3}, {"overlap_ms": 4000}],
)
async def test_wrong_settings_of_a_session_are_refused(
    server: ApiServer, settings: JsonObject
) -> None:
    status, problem = await server.json("POST", "/api/sessions", json={"settings": settings})

    assert (status, problem["code"]) == (400, "bad_request")


async def test_settings_of_a_session_are_kept(server: ApiServer) -> None:
    _, session = await server.json("POST", "/api/sessions", json={"settings": {"chunk_ms": 6000}})

    assert session["settings"] == {"chunk_ms": 6000}


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"{", 422), (b"[" * 60_000, 400), (b"\xff", 400), (b" " * 65_537, 413)],
)
async def test_a_body_that_is_no_session_is_a_problem(
    server: ApiServer, data: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    answer, problem = await server.json("POST", "/api/sessions", data=data, headers=headers)

    assert answer == status == problem["status"]


async def test_an_endless_body_is_cut_at_its_limit(server: ApiServer) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(10_000)

    status, problem = await server.json("POST", "/api/sessions", data=endless())

    assert (status, problem["limit"]) == (413, "max_body_bytes")


async def test_sessions_page_newest_first(server: ApiServer) -> None:
    for number in range(5):
        await server.session(f"s{number}")
    (await server.session("done")).complete()
    _, page = await server.json("GET", "/api/sessions?status=created&limit=3")
    _, rest = await server.json(
        "GET", f"/api/sessions?status=created&limit=3&cursor={page['next_cursor']}"
    )

    items: Any = page["items"], rest["items"]
    assert [[one["session_id"] for one in each] for each in items] == [
        ["s4", "s3", "s2"],
        ["s1", "s0"],
    ]
    assert rest["next_cursor"] is None


async def test_a_session_is_ended_and_deleted(server: ApiServer) -> None:
    await server.session()
    status, session = await server.json("POST", "/api/sessions/s1/end")
    assert (status, session["status"]) == (200, "ending")
    assert (await server.json("DELETE", "/api/sessions/s1"))[0] == 200
    assert (await server.json("GET", "/api/sessions/s1"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/end"),
        ("GET", "/transcript"),
        ("GET", "/transcript?format=srt"),
        ("GET", "/coverage"),
        ("GET", "/recording?stream=0"),
        ("GET", "/events"),
        ("GET", "/participants"),
    ],
)
@pytest.mark.parametrize("session_id", ["nobody", "%00", "a" * 65])
async def test_an_unknown_session_is_a_problem_everywhere(
    server: ApiServer, method: str, path: str, session_id: str
) -> None:
    status, problem = await server.json(method, f"/api/sessions/{session_id}{path}")

    assert (status, problem["code"]) == (404, "unknown_session")


async def test_the_transcript_comes_with_its_coverage(server: ApiServer) -> None:
    await filled(server)
    status, transcript = await server.json("GET", "/api/sessions/s1/transcript")

    assert status == 200
    segments: Any = transcript["segments"]
    assert [one["text"] for one in segments] == ["Hello."]
    assert transcript["language"] == "en"
    assert transcript["coverage"] == (await server.json("GET", "/api/sessions/s1/coverage"))[1]


@pytest.mark.parametrize(
    ("form", "media_type", "content"),
    [
        ("txt", "text/plain", "Ana: Hello."),
        ("srt", "application/x-subrip", "00:00:00,000 --> "),
        ("vtt", "text/vtt", "WEBVTT"),
    ],
)
async def test_the_transcript_comes_as_a_file(
    server: ApiServer, form: str, media_type: str, content: str
) -> None:
    await filled(server)
    url = f"{server.url}/api/sessions/s1/transcript?format={form}"
    async with server.client.get(url) as response:
        assert content in await response.text()
        assert response.headers["Content-Type"].startswith(media_type)
        assert f's1.{form}"' in response.headers["Content-Disposition"]


async def test_coverage_counts_what_came_since_as_pending(server: ApiServer) -> None:
    await filled(server)
    _, coverage = await server.json("GET", "/api/sessions/s1/coverage")

    assert coverage["streams"] == [
        {
            "id": 0,
            "sample_rate": 16000,
            "duration": 1000,
            "transcribed": 600,
            "silent": 100,
            "pending": 250,
            "lost": 50,
            "lost_by_reason": {"overload": 50},
        }
    ]


async def test_events_page_after_a_seq(server: ApiServer) -> None:
    await filled(server)
    _, page = await server.json("GET", "/api/sessions/s1/events?after=1&limit=1")
    _, rest = await server.json("GET", f"/api/sessions/s1/events?cursor={page['next_cursor']}")

    items: Any = page["items"], rest["items"]
    assert [[one["seq"] for one in each] for each in items] == [[2], [3]]
    assert rest["next_cursor"] is None


async def test_participants_are_listed(server: ApiServer) -> None:
    await filled(server)
    _, page = await server.json("GET", "/api/sessions/s1/participants")

    ana = {"id": "p1", "name": "Ana", "email": None, "is_bot": False, "joined": 0, "left": None}
    assert page["items"] == [ana]


async def test_the_recording_is_flac(server: ApiServer) -> None:
    await filled(server)
    url = f"{server.url}/api/sessions/s1/recording?stream=0"
    async with server.client.get(url) as response:
        body = await response.read()
        assert response.headers["Content-Type"] == "audio/flac"

    values, rate = soundfile.read(io.BytesIO(body), dtype="int16")
    assert (rate, len(values), set(values)) == (16_000, 1000, {1})


async def test_a_stream_that_is_not_there_has_no_recording(server: ApiServer) -> None:
    await filled(server)
    status, problem = await server.json("GET", "/api/sessions/s1/recording?stream=9")

    assert (status, problem["code"]) == (404, "no_recording")


async def test_only_so_many_recordings_are_made_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "MAX_RECORDINGS_AT_ONCE", 0)
    async with api_server(tmp_path) as server:
        await filled(server)
        status, problem = await server.json("GET", "/api/sessions/s1/recording?stream=0")

    assert (status, problem["limit"]) == (429, "max_recordings_at_once")


# Health


@pytest.mark.parametrize(
    ("overall", "status"), [("healthy", 200), ("degraded", 200), ("unhealthy", 503)]
)
async def test_health_is_503_only_when_unhealthy(
    server: ApiServer, overall: Any, status: int
) -> None:
    services = (
        ServiceHealth("database", "healthy", None, 1000, 2, 0),
        ServiceHealth("whisper", "unhealthy", "http://10.0.0.9", None, None, 4, "refused"),
    )
    server.sessions.report = HealthReport(overall, services, 3, 1, 0)
    answer, body = await server.json("GET", "/api/health")

    assert (answer, body["status"]) == (status, overall)
    assert body["services"] == {"database": "healthy", "whisper": "unhealthy"}
    assert (body["healthy_services"], body["total_services"]) == (1, 2)
    assert "10.0.0.9" not in str(body)
    _, full = await server.json("GET", "/api/services")
    listed: Any = full["services"]
    assert listed["whisper"]["consecutive_failures"] == 4
    assert listed["database"]["last_check"] == "1970-01-01T00:00:01.000Z"


async def test_what_meetings_go_on_without_is_listed_and_no_fault(server: ApiServer) -> None:
    absent = Integration("google_meet", "not_configured", "No credentials are set.")
    server.sessions.report = HealthReport(
        "healthy",
        (ServiceHealth("database", "healthy", None, 1000, 2, 0),),
        0,
        1,
        0,
        integrations=(absent,),
    )
    _, body = await server.json("GET", "/api/services")
    summary: Any = body["summary"]
    assert body["integrations"] == [
        {
            "name": "google_meet",
            "status": "not_configured",
            "detail": "No credentials are set.",
        }
    ]
    assert (summary["overall_status"], summary["total_services"]) == ("healthy", 1)


async def test_alerts_say_what_holds_and_what_was(server: ApiServer) -> None:
    holds = Alert("disk_full", "critical", "machine", "Disk of the data: 97 %.", 97, 1000)
    was = Alert("part_unhealthy", "critical", "whisper", "whisper is unhealthy.", 1, 1000, 3000, 7)
    server.archive.changes.append(AlertChange(1, "cleared", 3000, was))
    server.sessions.report = HealthReport(
        "healthy",
        (ServiceHealth("database", "healthy", None, 1000, 2, 0),),
        3,
        1,
        0,
        alerts=(holds,),
        system={"disk_percent": 97},
        queues={"chunks_waiting": 2},
        recovery={"replace_session_done": 1},
        alerting={"alert_posts_waiting": 3},
    )
    status, body = await server.json("GET", "/api/alerts")

    active: Any = body["items"]
    assert (status, body["next_before"]) == (200, None)
    assert [(one["code"], one["cleared_at"]) for one in active] == [("disk_full", None)]
    _, body = await server.json("GET", "/api/alerts?state=all&before=8&limit=1")
    kept: Any = body["items"]
    assert [(one["id"], one["subject"], one["cleared_at"]) for one in kept] == [
        (7, "whisper", "1970-01-01T00:00:03.000Z")
    ]
    status, board = await server.json("GET", "/api/dashboard")
    shown: Any = board
    assert (status, shown["alerts"], shown["system"]) == (200, active, {"disk_percent": 97})
    assert (list(shown["services"]), shown["summary"]["open_sessions"]) == (["database"], 3)
    status, figures = await server.json("GET", "/api/metrics")
    counted: Any = figures
    assert (status, counted["active_alerts"]) == (200, {"critical": 1})
    assert counted["health_stats"] == shown["summary"]
    assert counted["system"] == {"disk_percent": 97}
    for one in (shown, counted):
        assert one["queues"]["chunks_waiting"] == 2
        assert one["recovery"] == {"replace_session_done": 1}
        assert one["alerting"] == {"alert_posts_waiting": 3}
    assert counted["queues"]["ingest_items_waiting"] == 0
    assert counted["websocket_stats"]["active_connections"] == 0


async def test_health_never_waits_for_a_monitor_that_is_away(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FIRST_REPORT_S", 0.01)
    server.sessions.health_gate.clear()
    status, body = await server.json("GET", "/api/health")

    assert (status, body["status"]) == (200, "degraded")
    assert body["services"] == {"health_monitor": "unknown"}


# Problems and pages


async def test_a_database_that_is_away_is_a_503(server: ApiServer) -> None:
    server.archive.outage = DatabaseUnavailable("PostgreSQL does not answer.")
    status, problem = await server.json("GET", "/api/sessions/s1")

    assert (status, problem["code"]) == (503, "database_unavailable")


async def test_an_unforeseen_error_is_a_500_without_its_internals(server: ApiServer) -> None:
    server.archive.outage = RuntimeError("secret")
    status, problem = await server.json("GET", "/api/sessions/s1")

    assert (status, problem["code"]) == (500, "internal_error")
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("PUT", "/api/health", 405, "method_not_allowed")],
)
async def test_what_is_not_there_is_a_problem(
    server: ApiServer, method: str, path: str, status: int, code: str
) -> None:
    async with server.client.request(method, server.url + path) as response:
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = await response.json(content_type=None)

    assert (problem["status"], problem["code"]) == (status, code)


async def test_half_a_surrogate_pair_in_what_is_refused_is_no_error_of_ours(
    server: ApiServer,
) -> None:
    body = b'{"preset": "default", "stages": {"\\ud800": 1}}'
    headers = {"Content-Type": "application/json"}
    status, problem = await server.json("POST", "/api/audio/config", data=body, headers=headers)
    assert (status, problem["code"]) == (400, "bad_request")


async def test_a_405_names_every_method_of_its_path(server: ApiServer) -> None:
    async with server.client.patch(server.url + "/api/sessions") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize("path", ["/", "/try", "/static/app.js", "/docs", "/openapi.json"])
async def test_pages_come_with_their_security_headers(server: ApiServer, path: str) -> None:
    async with server.client.get(server.url + path) as response:
        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_reference_names_every_route_and_shape(server: ApiServer) -> None:
    _, api = await server.json("GET", "/openapi.json")
    async with server.client.get(server.url + "/docs") as response:
        page = await response.text()

    described: Any = api
    for path in described["paths"]:
        assert f"<code>{path}</code>" in page
    for shape in described["components"]["schemas"]:
        assert f"id='{shape}'" in page
    assert "<script" not in page
    assert "`" not in page


@pytest.mark.parametrize("path", ["/static/../data", "/static/%2e%2e/x", "/static/none.js"])
async def test_static_files_stay_in_their_folder(server: ApiServer, path: str) -> None:
    async with server.client.get(server.url + path) as response:
        assert response.status == 404
