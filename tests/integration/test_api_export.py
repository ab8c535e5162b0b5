"""A session as one archive, by HTTP over the doubles, by the client and by the command line."""

import asyncio
import hashlib
import io
import json
import re
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from orchestration.api.recording import PIECE_BYTES
from orchestration.api.session_archive import SessionArchive
from orchestration.cli import main
from orchestration.client.api import OrchestrationClient
from orchestration.errors import UnknownSession
from orchestration.session.events import TranslatedText
from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.corrections import RenameSpeaker, correction_json
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.recordings import Recordings
from orchestration.storage.speaker_ports import (
    AttendedParticipant,
    MethodFigures,
    PastName,
    SpokenFigures,
    StoredCorrection,
    StoredSpeakers,
)
from orchestration.storage.values import SampleRange, SessionSpec, StreamRow
from orchestration.transcript.exports import to_srt, to_text, to_vtt
from tests.doubles.api_server import ApiServer, api_server
from tests.doubles.in_memory_archive import InMemoryArchive, StoredSession
from tests.storage_values import FORMAT, event, frame, participant, progress, segment, stream_spec

PORTUGUESE = TranslatedText("pt", "olá", "final")
LINES = 450
CORRECTIONS = 205


def fill(stored: StoredSession, folder: Path, files: int) -> None:
    """More lines than a page has, and a stream whose audio is in files; stream 1 has none."""
    stored.segments += [StoredSegment(segment(n), (PORTUGUESE,)) for n in range(LINES)]
    stored.participants.append(participant())
    stored.events += [event(number) for number in range(1, LINES)]
    store = ChunkFileStore(folder)
    random = np.random.default_rng(7)
    for number in range(files):
        noise = random.integers(-9000, 9000, 1600 * 10, dtype=np.int16)
        frames = [
            frame(number * 10 + n, content=noise[n * 1600 : (n + 1) * 1600].tobytes())
            for n in range(10)
        ]
        stored.files.append(store.write("s1", FORMAT, frames))
    for stream in (0, 1):
        stored.streams[stream] = StreamRow(
            stream_spec(stream), 10 * files, 0, None, progress(16_000, stream=stream)
        )


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path) as running:
        await running.session("s1", title="Weekly", target_languages=("pt",))
        fill(running.archive.of("s1"), tmp_path / "recordings", 3)
        yield running


async def exported(server: ApiServer) -> zipfile.ZipFile:
    async with OrchestrationClient(server.url) as client:
        pieces = [piece async for piece in client.export_session("s1")]
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


async def test_an_archive_holds_all_of_a_session_and_its_hashes_are_true(
    server: ApiServer,
) -> None:
    whole = await exported(server)
    manifest = json.loads(whole.read("manifest.json"))
    names = [file["name"] for file in manifest["files"]]
    assert whole.namelist() == [*names, "manifest.json"]
    assert names == [
        *("session.json", "coverage.json", "statistics.json", "speakers.json"),
        *("transcript.json", "transcript.txt", "transcript.srt", "transcript.vtt"),
        *("transcript.pt.txt", "translations.ndjson", "participants.ndjson"),
        *(
            "speaker_corrections.ndjson",
            "correlations.ndjson",
            "chunks.ndjson",
            "events.ndjson",
            "recordings/0.flac",
        ),
    ]
    for file in manifest["files"]:
        content = whole.read(file["name"])
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    assert [one["name"] for one in manifest["left_out"]] == ["recordings/1.flac"]
    assert json.loads(whole.read("session.json"))["title"] == "Weekly"


async def test_transcripts_in_an_archive_are_those_of_the_transcript_route(
    server: ApiServer,
) -> None:
    whole = await exported(server)
    segments = server.archive.of("s1").segments
    _, transcript = await server.json("GET", "/api/sessions/s1/transcript")
    assert json.loads(whole.read("transcript.json")) == transcript
    assert whole.read("transcript.txt").decode() == to_text(segments)
    assert whole.read("transcript.srt").decode() == to_srt(segments)
    assert whole.read("transcript.vtt").decode() == to_vtt(segments)
    assert whole.read("transcript.pt.txt").decode() == to_text(segments, "pt")
    assert len(whole.read("translations.ndjson").splitlines()) == LINES
    events = [json.loads(line) for line in whole.read("events.ndjson").splitlines()]
    assert [one["seq"] for one in events] == list(range(1, LINES))


async def test_files_in_an_archive_say_where_audio_was_lost(server: ApiServer) -> None:
    stored = server.archive.of("s1")
    kept = replace(stored.streams[0].progress or progress(0), offset_ns=0)
    seconds = [(2, 4), (240, 243), (9000, 9060)]
    lost = tuple(SampleRange(start * 16_000, end * 16_000, "x") for start, end in seconds)
    stored.streams[0] = replace(stored.streams[0], progress=kept, lost=lost)
    whole = await exported(server)
    for name in ("transcript.txt", "transcript.srt", "transcript.vtt"):
        async with server.client.get(
            f"{server.url}/api/sessions/s1/transcript?format={name[-3:]}"
        ) as response:
            assert whole.read(name).decode() == await response.text()
    text = whole.read("transcript.txt").decode()
    assert re.findall(r"\[(\d+) s of audio lost\]", text) == ["2", "3", "60"]
    assert text.endswith("[60 s of audio lost]\n")
    assert [one["start"] for one in json.loads(whole.read("coverage.json"))["gaps"]] == [
        2,
        240,
        9000,
    ]


async def test_an_archive_says_who_spoke_and_all_that_was_said_about_it(
    server: ApiServer,
) -> None:
    spoken = server.archive.spoken_of("s1")
    at = datetime(2026, 9, 21, tzinfo=UTC)
    named = MethodFigures("temporal", 3, 12, 4 * 10**9, 0.9, 3)
    bodies = [
        correction_json(RenameSpeaker("p1", f"Ana {number}")) for number in range(CORRECTIONS)
    ]
    spoken.speakers = StoredSpeakers(
        [AttendedParticipant(ParticipantRef("p1", "Ana"), None, 0, None)],
        [SpokenFigures("p1", "Ana", 3, 12, 4 * 10**9, 0, 5 * 10**9, (named,))],
        [],
        [PastName("p1", "Ana", None, at)],
        bodies,
    )
    spoken.corrections += [
        StoredCorrection(number, body, "Bea", 3, at) for number, body in enumerate(bodies)
    ]
    whole = await exported(server)
    _, speakers = await server.json("GET", "/api/sessions/s1/speakers")
    assert json.loads(whole.read("speakers.json")) == speakers
    assert speakers["items"][0]["name"] == f"Ana {CORRECTIONS - 1}"  # type: ignore[index,call-overload]
    said = [json.loads(line) for line in whole.read("speaker_corrections.ndjson").splitlines()]
    assert [one["number"] for one in said] == list(range(CORRECTIONS))
    assert said[-1]["correction"]["name"] == f"Ana {CORRECTIONS - 1}"
    assert said[0]["by"] == "Bea"


async def test_recordings_in_an_archive_are_the_audio_as_it_came(
    server: ApiServer, tmp_path: Path
) -> None:
    whole = await exported(server)
    heard, rate = soundfile.read(io.BytesIO(whole.read("recordings/0.flac")), dtype="int16")
    files = [
        soundfile.read(path, dtype="int16")[0]
        for path in sorted((tmp_path / "recordings" / "s1").glob("*.flac"))
    ]
    assert rate == 16_000
    assert np.array_equal(heard, np.concatenate(files))


async def test_a_long_session_takes_no_more_memory_than_a_page_and_a_batch(tmp_path: Path) -> None:
    """Audio of 13 MB goes through; what is held stays below a third of it."""
    archive = InMemoryArchive()
    row, _ = await archive.create_session(SessionSpec("s1"))
    fill(archive.of("s1"), tmp_path / "recordings", 400)
    recordings = Recordings(archive, ChunkFileStore(tmp_path / "recordings"))
    tracemalloc.start()
    try:
        sent = largest = 0
        async for piece in SessionArchive(archive, recordings, tmp_path / "work").pieces(row, {}):
            sent += len(piece)
            largest = max(largest, len(piece))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent > 10_000_000
    assert largest < 4 * PIECE_BYTES
    assert peak < 5_000_000


async def test_the_command_line_writes_an_archive(server: ApiServer, tmp_path: Path) -> None:
    target = tmp_path / "weekly.zip"
    arguments = ["export", "s1", "--archive", "-o", str(target), "--url", server.url]
    done = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(target) as whole:
        assert whole.testzip() is None
    without = await asyncio.to_thread(CliRunner().invoke, main, arguments[:3])
    assert without.exit_code == 2
    arguments[1] = "nobody"
    unknown = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert unknown.exit_code != 0
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("*.part")))


async def test_what_is_not_there_is_not_exported(server: ApiServer) -> None:
    async with OrchestrationClient(server.url) as client:
        with pytest.raises(UnknownSession):
            async for _ in client.export_session("nobody"):
                pass
