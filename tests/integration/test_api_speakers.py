"""Speakers and correlations, by HTTP over the doubles."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.client.api import OrchestrationClient
from orchestration.errors import SpeakerConflict, UnknownSession, UnknownSpeaker
from orchestration.json_types import JsonObject
from orchestration.speakers.corrections import (
    Correction,
    MapSpeaker,
    MergeSpeakers,
    Person,
    RenameSpeaker,
    UnmapSpeaker,
)
from orchestration.storage.speaker_ports import MethodFigures, StoredCorrelation
from tests.doubles.api_server import ApiServer, api_server

VOICE = "voice:0:whisper#1"
CLARA: JsonObject = {"id": "c1", "name": "Clara"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        await running.session("s1")
        yield running


async def correct(server: ApiServer, kind: str, body: JsonObject) -> tuple[int, Any]:
    return await server.json("POST", f"/api/sessions/s1/speakers/{kind}", json=body)


@pytest.mark.parametrize(
    ("kind", "body", "correction"),
    [
        (
            "map",
            {"segment_id": "s1:0:1", "person": CLARA},
            MapSpeaker(Person("c1", "Clara"), "s1:0:1"),
        ),
        (
            "map",
            {"speaker_id": VOICE, "person": {"name": " Clara\u202e B\n"}},
            MapSpeaker(Person("person:clara b", "Clara B"), None, VOICE),
        ),
        ("unmap", {"speaker_id": VOICE}, UnmapSpeaker(None, VOICE)),
        ("merge", {"speaker_id": "p2", "into_id": "p1"}, MergeSpeakers("p2", "p1")),
        ("rename", {"speaker_id": "p1", "name": "Ana Lima"}, RenameSpeaker("p1", "Ana Lima")),
    ],
)
async def test_a_correction_is_taken_and_says_what_it_repainted(
    server: ApiServer, kind: str, body: JsonObject, correction: Correction
) -> None:
    status, answer = await correct(server, kind, body | {"by": "Bea"})
    assert (status, answer) == (200, {"session_id": "s1", "repainted": 1})
    assert server.sessions.corrections == [("s1", correction, "Bea")]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("map", {"person": CLARA}),
        ("map", {"segment_id": "s1:0:1", "speaker_id": VOICE, "person": CLARA}),
        ("map", {"speaker_id": VOICE, "person": {"id": "c1"}}),
        ("rename", {"speaker_id": "p1", "name": ""}),
        ("rename", {"speaker_id": "p1", "name": "x" * 201}),
        ("rename", {"speaker_id": "p1", "name": "\u202e\n"}),
        ("rename", {"speaker_id": 7, "name": "Ana"}),
        ("merge", {"speaker_id": "p1"}),
    ],
)
async def test_what_is_no_correction_is_refused_with_a_problem(
    server: ApiServer, kind: str, body: JsonObject
) -> None:
    status, problem = await correct(server, kind, body)
    assert status in (400, 422)
    assert problem["code"] in ("bad_request", "validation_error", "invalid_request")
    assert server.sessions.corrections == []


@pytest.mark.parametrize(
    ("error", "status"), [(UnknownSpeaker("nobody"), 404), (SpeakerConflict("a circle"), 409)]
)
async def test_a_correction_about_nobody_is_404_and_a_conflict_409(
    server: ApiServer, error: Exception, status: int
) -> None:
    server.sessions.correct_error = error
    rename: JsonObject = {"speaker_id": "p9", "name": "Nobody"}
    assert (await correct(server, "rename", rename))[0] == status
    async with OrchestrationClient(server.url) as client:
        with pytest.raises(type(error)):
            await client.rename_speaker("s1", "p9", "Nobody")


async def test_an_unknown_session_has_no_speakers(server: ApiServer) -> None:
    async with OrchestrationClient(server.url) as client:
        for asked in (
            client.speakers("s9"),
            client.speaker_corrections("s9"),
            client.correlations("s9"),
            client.unmap_speaker("s9", speaker_id="p1"),
            client.correlate("s9"),
        ):
            with pytest.raises(UnknownSession):
                await asked


async def test_the_client_says_who_it_was(server: ApiServer) -> None:
    async with OrchestrationClient(server.url) as client:
        await client.map_speaker("s1", "Clara", segment_id="s1:0:1", by="Bea")
        await client.unmap_speaker("s1", segment_id="s1:0:1")
        await client.merge_speakers("s1", "p2", "p1")
        await client.rename_speaker("s1", "p1", "Ana Lima")
        assert (await client.speakers("s1"))["items"] == []
    assert [one for _, one, _ in server.sessions.corrections] == [
        MapSpeaker(Person("person:clara", "Clara"), "s1:0:1"),
        UnmapSpeaker("s1:0:1", None),
        MergeSpeakers("p2", "p1"),
        RenameSpeaker("p1", "Ana Lima"),
    ]
    assert [by for _, _, by in server.sessions.corrections] == ["Bea", "api", "api", "api"]


def line(second: int, method: Any = "temporal") -> StoredCorrelation:
    start_ns = second * 10**9
    evidence: JsonObject = {"labels": [VOICE]}
    return StoredCorrelation(
        correlation_id=f"s1:s1:0:{second}",
        caption_id=None,
        source=f"s1:0:{second}",
        segment_id=f"s1:0:{second}",
        label=VOICE,
        speaker_id="p1",
        speaker_name="Ana",
        google_id="conferenceRecords/c/participants/a",
        confidence=0.9,
        method=method,
        kind="interpolated",
        start_ns=start_ns,
        end_ns=start_ns + 10**9,
        offset_ns=0,
        evidence=evidence,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_correlations_come_by_the_page_and_by_time_with_their_statistics(
    server: ApiServer,
) -> None:
    stored = server.archive.spoken_of("s1")
    stored.correlations += [line(1), line(2), line(3)]
    stored.figures = [
        MethodFigures("temporal", 3, 6, 3 * 10**9, 0.9, 3),
        MethodFigures(None, 1, 2, 10**9, None, 0),
    ]
    async with OrchestrationClient(server.url) as client:
        first: Any = await client.correlations("s1", limit=2)
        rest: Any = await client.correlations("s1", limit=2, cursor=first["next_cursor"])
        within: Any = await client.correlations("s1", start_s=2, end_s=3)
    assert [one["segment_id"] for one in first["items"] + rest["items"]] == [
        "s1:0:1",
        "s1:0:2",
        "s1:0:3",
    ]
    assert [one["start_timestamp"] for one in within["items"]] == [2.0]
    assert first["items"][0] | {"created_at": None} == {
        "correlation_id": "s1:s1:0:1",
        "session_id": "s1",
        "segment_id": "s1:0:1",
        "whisper_speaker_id": VOICE,
        "google_meet_speaker_id": "conferenceRecords/c/participants/a",
        "google_meet_speaker_name": "Ana",
        "external_speaker_id": "p1",
        "external_speaker_name": "Ana",
        "correlation_confidence": 0.9,
        "correlation_type": "interpolated",
        "correlation_method": "temporal",
        "start_timestamp": 1.0,
        "end_timestamp": 2.0,
        "timing_offset": 0.0,
        "correlation_metadata": {"labels": [VOICE]},
        "created_at": None,
    }
    assert (first["statistics"]["coverage"], first["statistics"]["success_rate"]) == (0.75, 0.75)
    _, figures = await server.json("GET", "/api/sessions/s1/statistics")
    assert figures["correlation"] == first["statistics"]


@pytest.mark.parametrize(
    ("mapping", "correction"),
    [
        (
            {"whisper_speaker_id": VOICE, "external_speaker_name": "Clara"},
            MapSpeaker(Person("person:clara", "Clara"), None, VOICE),
        ),
        (
            {
                "segment_id": "s1:0:1",
                "google_meet_speaker_id": "p1",
                "google_meet_speaker_name": "Ana",
            },
            MapSpeaker(Person("p1", "Ana"), "s1:0:1"),
        ),
        (
            {"whisper_speaker_id": VOICE, "external_speaker_id": "p1"},
            MergeSpeakers(VOICE, "p1"),
        ),
        ({}, None),
    ],
)
async def test_a_posted_correlation_is_a_mapping_by_hand_or_asks_for_names(
    server: ApiServer, mapping: JsonObject, correction: Correction | None
) -> None:
    status, answer = await server.json(
        "POST", "/api/audio/correlations", json={"session_id": "s1"} | mapping
    )
    assert (status, answer["repainted"]) == (200, 1)
    assert answer["status"] == ("mapped" if mapping else "correlated")
    assert server.sessions.corrections == [("s1", correction, "api")]


@pytest.mark.parametrize(
    "mapping",
    [
        {"whisper_speaker_id": VOICE},
        {"segment_id": "s1:0:1", "external_speaker_id": "p1"},
        {"external_speaker_name": "Clara"},
        {"segment_id": "s1:0:1", "whisper_speaker_id": VOICE, "external_speaker_name": "Clara"},
    ],
)
async def test_half_a_mapping_is_refused(server: ApiServer, mapping: JsonObject) -> None:
    body = {"session_id": "s1"} | mapping
    status, _ = await server.json("POST", "/api/audio/correlations", json=body)
    assert status == 422
    assert server.sessions.corrections == []


@pytest.mark.parametrize("query", ["", "session_id=s1&from=3&to=3", "session_id=s1&limit=0"])
async def test_a_listing_of_nothing_is_refused(server: ApiServer, query: str) -> None:
    status, _ = await server.json("GET", f"/api/audio/correlations?{query}")
    assert status in (400, 422)
