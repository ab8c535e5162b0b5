"""What the HTTP API gives of a session: transcript, coverage, events, people and audio."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from orchestration.api import transcripts
from orchestration.audio.pcm import PcmFormat
from orchestration.session.inputs import ParticipantRef, StreamSpec
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


async def filled(server: ApiServer) -> None:
    """Session s1 with a line, a stream of 1,000 samples, and a participant."""
    session = await server.session(language="en")
    word = TimedWord("Hello.", 0, 500_000_000, 0.9)
    speaker = SpeakerName("p1", "Ana", 1.0, "own_stream")
    line = Segment("g0", 1, 0, 0, 500_000_000, speaker, "en", (word,))
    stored = session.stored
    stored.segments.append(StoredSegment(line, ()))
    spec = StreamSpec(0, PcmFormat("s16le", 16_000, 1))
    progress = StreamProgress(0, 0, 900, 750, 600, 100, 600)
    lost = SampleRange(700, 750, "overload")
    stored.streams[0] = StreamRow(spec, 2, 1000, None, progress, (lost,))
    payload = b"\x01\x00" * 500
    stored.frames[0] = [JournalFrame(0, n, n * 500, 500, bytes(16), payload) for n in range(2)]
    stored.participants.append(ParticipantRow(ParticipantRef("p1", "Ana"), 0, None))
    for number in range(3):
        session.emit("alert", {"level": "info", "code": "x", "message": str(number)})


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
    assert coverage["gaps"] == []


async def test_whoever_reads_a_transcript_sees_where_audio_was_lost(server: ApiServer) -> None:
    await filled(server)
    stored = server.archive.of("s1")
    lost = SampleRange(16_000, 48_000, "overload")
    stored.streams[0] = replace(stored.streams[0], lost=(lost,))
    gap = {"stream": 0, "start": 1.0, "end": 3.0, "reason": "overload"}

    _, coverage = await server.json("GET", "/api/sessions/s1/coverage")
    _, transcript = await server.json("GET", "/api/sessions/s1/transcript")
    assert coverage["gaps"] == [gap]
    assert transcript["coverage"] == coverage
    url = f"{server.url}/api/sessions/s1/transcript?format=txt"
    async with server.client.get(url) as response:
        assert await response.text() == "Ana: Hello.\n[2 s of audio lost]\n"


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
