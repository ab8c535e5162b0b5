"""What is stored of a session, by HTTP over the doubles."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.session.events import TranslatedText
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.data_ports import StoredChunk, StoredQuality
from orchestration.storage.speaker_ports import StoredCorrelation
from orchestration.storage.values import ChunkRow, RecordedFile
from tests.doubles.api_server import ApiServer, api_server
from tests.storage_values import event, participant, segment

SECOND = 10**9
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SPANISH = TranslatedText("es", "hola", "final")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        await running.session("s1")
        stored = running.archive.of("s1")
        stored.segments += [StoredSegment(segment(number), (SPANISH,)) for number in (1, 2, 3)]
        stored.files.append(RecordedFile("s1", 0, 0, 9, 0, 16_000, 16_000, 1, 5000, "ab" * 32))
        stored.participants.append(participant())
        stored.events += [event(1), event(2), event(3)]
        stored.data.event_told_ns.update({2: 5 * SECOND, 3: 9 * SECOND})
        heard = ChunkRow(0, 0, 16_000, "heard", "whisper-1", "en", 2, 1, 250)
        lost = ChunkRow(0, 16_000, 32_000, "lost", "", "", 0, 4, 30_000)
        quality = StoredQuality(0.75, -20.04, 25.0, 0.5, 0.0)
        stored.data.chunks += [
            StoredChunk(heard, 0, SECOND, NOW, quality),
            StoredChunk(lost, SECOND, 2 * SECOND, NOW, None),
        ]
        stored.spoken.correlations += [
            correlation("spk0", None, None),
            correlation("segment-2", "segment-2", 2 * SECOND),
            correlation("segment-9", "segment-9", 9 * SECOND),
        ]
        yield running


def correlation(source: str, segment_id: str | None, start_ns: int | None) -> StoredCorrelation:
    return StoredCorrelation(
        correlation_id=f"s1:{source}",
        source=source,
        segment_id=segment_id,
        caption_id=None,
        label="spk0",
        speaker_id="p1",
        speaker_name="Ana",
        google_id=None,
        confidence=0.9,
        method="acoustic",
        kind="inferred",
        start_ns=start_ns,
        end_ns=None if start_ns is None else start_ns + SECOND,
        offset_ns=150_000_000,
        evidence={"label": "spk0"},
        at=NOW,
    )


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


@pytest.mark.parametrize(
    "what",
    [
        *("transcripts", "audio-files", "statistics", "chunks", "translations", "correlations"),
        *("participants", "events", "events?from=1"),
    ],
)
async def test_an_unknown_session_is_not_found(server: ApiServer, what: str) -> None:
    assert (await server.json("GET", f"/api/sessions/nobody/{what}"))[0] == 404


async def items(server: ApiServer, path: str) -> list[Any]:
    status, page = await server.json("GET", path)
    assert status == 200, page
    found: list[Any] = page["items"]  # type: ignore[assignment]
    return found


async def test_chunks_say_by_whom_they_were_heard_how_fast_and_how_well(server: ApiServer) -> None:
    heard, lost = await items(server, "/api/sessions/s1/chunks")
    assert heard == {
        "stream": 0,
        "start": 0.0,
        "end": 1.0,
        "first_sample": 0,
        "end_sample": 16_000,
        "outcome": "heard",
        "engine": "whisper-1",
        "language": "en",
        "words": 2,
        "attempts": 1,
        "latency": 0.25,
        "answered_at": "2026-05-04T12:00:00.000Z",
        "quality": {
            "score": 0.75,
            "rms_dbfs": -20.0,
            "snr_db": 25.0,
            "speech_ratio": 0.5,
            "clipped_ratio": 0.0,
        },
    }
    assert (lost["outcome"], lost["engine"], lost["attempts"]) == ("lost", None, 4)
    assert len(await items(server, "/api/sessions/s1/chunks?from=1")) == 1


async def test_translations_are_listed_by_language_and_time(server: ApiServer) -> None:
    found = await items(server, "/api/sessions/s1/translations?language=es&from=2&to=2.5")
    assert [(one["segment_id"], one["text"], one["state"]) for one in found] == [
        ("segment-2", "hola", "final")
    ]
    assert await items(server, "/api/sessions/s1/translations?language=fr") == []


async def test_correlations_and_participants_are_listed(server: ApiServer) -> None:
    voice, line = await items(server, "/api/sessions/s1/correlations?to=5")
    assert (voice["correlation_id"], voice["timing_offset"]) == ("s1:spk0", 0.15)
    assert (voice["segment_id"], voice["start"]) == (None, None)
    assert (line["segment_id"], line["start"], line["end"]) == ("segment-2", 2.0, 3.0)
    assert (line["type"], line["metadata"]) == ("inferred", {"label": "spk0"})
    (person,) = await items(server, "/api/sessions/s1/participants?limit=1")
    assert (person["name"], person["joined"]) == ("Ana", 1.5)
    assert await items(server, "/api/sessions/s1/participants?to=1") == []


async def test_both_lists_of_correlations_are_of_the_same_voices_and_lines(
    server: ApiServer,
) -> None:
    for within in ("", "&from=2&to=4"):
        listed = await items(server, f"/api/sessions/s1/correlations?limit=9{within}")
        also = await items(server, f"/api/audio/correlations?session_id=s1{within}")
        assert [one["correlation_id"] for one in listed] == [one["correlation_id"] for one in also]
        assert [one["metadata"] for one in listed] == [one["correlation_metadata"] for one in also]
        assert len(listed) == (2 if within else 3)


async def test_events_are_listed_by_when_they_were_told(server: ApiServer) -> None:
    assert len(await items(server, "/api/sessions/s1/events")) == 3
    told = await items(server, "/api/sessions/s1/events?from=4&to=9")
    assert [one["seq"] for one in told] == [2]


@pytest.mark.parametrize(
    "what", ["audio-files", "chunks", "translations", "correlations", "participants", "events"]
)
async def test_every_listing_refuses_a_range_that_is_none(server: ApiServer, what: str) -> None:
    assert (await server.json("GET", f"/api/sessions/s1/{what}?from=3&to=3"))[0] == 400


async def test_search_finds_lines_of_all_sessions_with_what_matches_marked(
    server: ApiServer,
) -> None:
    await server.session("s2", title="Other")
    server.archive.of("s2").segments.append(StoredSegment(segment(7, text="<i> hello you"), ()))
    found = await items(server, "/api/search?q=hello")
    assert [one["session_id"] for one in found] == ["s1", "s1", "s1", "s2"]
    assert found[-1]["snippet"] == "&lt;i&gt; <mark>hello</mark> you"
    assert (found[-1]["title"], found[-1]["start"], found[-1]["rank"]) == ("Other", 7.0, 0.1)
    assert len(await items(server, "/api/search?q=hello&session_id=s2")) == 1
    _, page = await server.json("GET", "/api/search?q=hello&limit=3")
    assert page["next_cursor"] is not None


@pytest.mark.parametrize(
    "query",
    [
        *("", "q=", f"q={'x' * 501}", "q=a&session_id=a%2Fb", "q=a&language=EN", "q=a&from=soon"),
        "q=a&from=2026-05-04T12:00:00Z&to=2026-05-04T12:00:00",
    ],
)
async def test_a_search_that_is_none_is_refused(server: ApiServer, query: str) -> None:
    status, problem = await server.json("GET", f"/api/search?{query}")
    assert status in (400, 422)
    assert isinstance(problem, dict)
