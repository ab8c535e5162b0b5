"""What is stored of a session, by HTTP over the doubles."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestration.storage.ports import RecordedFile, StoredSegment
from tests.doubles.api_server import ApiServer, api_server
from tests.storage_values import participant, segment


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        await running.session("s1")
        stored = running.archive.of("s1")
        stored.segments += [StoredSegment(segment(number), ()) for number in (1, 2, 3)]
        stored.files.append(RecordedFile("s1", 0, 0, 9, 0, 16_000, 16_000, 1, 5000, "ab" * 32))
        stored.participants.append(participant())
        yield running


async def test_transcripts_come_by_the_page_and_by_time(server: ApiServer) -> None:
    status, page = await server.json("GET", "/api/sessions/s1/transcripts?limit=2")
    assert status == 200
    first = [one["segment_id"] for one in page["items"]]  # type: ignore[index,call-overload,union-attr]
    _, rest = await server.json(
        "GET", f"/api/sessions/s1/transcripts?limit=2&cursor={page['next_cursor']}"
    )
    assert first == ["segment-1", "segment-2"]
    assert rest["items"][0]["segment_id"] == "segment-3"  # type: ignore[index,call-overload]
    assert rest["next_cursor"] is None
    _, within = await server.json("GET", "/api/sessions/s1/transcripts?from=2&to=2.5")
    assert [one["start"] for one in within["items"]] == [2.0]  # type: ignore[index,call-overload,union-attr]


@pytest.mark.parametrize("query", ["from=3&to=3", "from=-1", "to=nan", "limit=0", "from=x"])
async def test_a_range_that_is_none_is_refused(server: ApiServer, query: str) -> None:
    status, _ = await server.json("GET", f"/api/sessions/s1/transcripts?{query}")
    assert status in (400, 422)


async def test_audio_files_are_listed_with_their_times(server: ApiServer) -> None:
    status, page = await server.json("GET", "/api/sessions/s1/audio-files")
    assert status == 200
    assert page["items"][0]["file_name"] == "00000-000000000000000-000000000016000.flac"  # type: ignore[index,call-overload]
    assert (page["items"][0]["start"], page["items"][0]["end"]) == (0.0, 1.0)  # type: ignore[index,call-overload]


async def test_statistics_have_their_known_names(server: ApiServer) -> None:
    status, figures = await server.json("GET", "/api/sessions/s1/statistics")
    assert status == 200
    assert (figures["total_transcripts"], figures["total_audio_files"]) == (3, 1)
    assert figures["total_transcript_words"] == 6
    assert (figures["clocks"], figures["clock_changes"]) == ([], [])


@pytest.mark.parametrize("what", ["transcripts", "audio-files", "statistics"])
async def test_an_unknown_session_is_not_found(server: ApiServer, what: str) -> None:
    assert (await server.json("GET", f"/api/sessions/nobody/{what}"))[0] == 404
