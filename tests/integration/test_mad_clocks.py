"""Times that no clock shows, from a sender, over a real database: a session survives them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from orchestration.audio.pcm import PcmFormat
from orchestration.metrics.meter import Tally
from orchestration.services.ports import (
    Hypothesis,
    HypothesisSegment,
    HypothesisWord,
    TranscriptionRequest,
)
from orchestration.session.exchange import IngestBatch
from orchestration.session.fields import MAX_INTEGER, MAX_UNIX_MS
from orchestration.session.inputs import (
    AudioFrame,
    CaptionFact,
    ClockFact,
    EndOfStreams,
    Fact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    StreamSpec,
    UnixMoment,
)
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.runner import SessionRunner
from orchestration.session.values import SessionValues
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.recordings import Recordings
from orchestration.storage.values import SessionSpec
from tests.database import migrated_pool
from tests.doubles.scripted_engines import ScriptedEngines

READING = Path(__file__).parents[1] / "data" / "reading.flac"
FRAME_SAMPLES, SECONDS = 1600, 8
ZERO_NS = 1_700_000_000_000_000_000
LATEST, LAST_SAMPLE = UnixMoment(MAX_UNIX_MS), SampleMoment(0, MAX_INTEGER)
ANA = ParticipantRef("p1", "Ana")
MAD_MOMENTS: Sequence[Fact] = (
    ParticipantFact(0, "join", ANA, LATEST),
    SpeakerFact(1, "start", "p1", "Ana", LAST_SAMPLE),
    SpeakerFact(2, "start", "p1", "Ana", LATEST),
    SpeakerFact(3, "stop", "p1", "Ana", LATEST),
    CaptionFact(4, "p1", "Ana", "hello", UnixMoment(0), LATEST),
    CaptionFact(5, "p1", "Ana", "hello", SampleMoment(0, 0), LAST_SAMPLE),
    ParticipantFact(6, "leave", ANA, LATEST),
)
MAD_CLOCKS: Sequence[Fact] = (
    ClockFact(0, 0, 0, MAX_UNIX_MS),
    ClockFact(1, 1, 0, 0),
    ClockFact(2, 1, MAX_INTEGER, MAX_UNIX_MS),
)


@pytest.fixture
async def pool(server_dsn: str) -> AsyncIterator[Pool]:
    async with migrated_pool(server_dsn, "mad") as (_, opened):
        yield opened


def one_word(request: TranscriptionRequest) -> Hypothesis:
    middle_ms = request.duration_ms // 2
    word = HypothesisWord("hello", middle_ms - 100, middle_ms + 100, 0.9)
    return Hypothesis("en", (HypothesisSegment((word,)),), "scripted")


def spoken() -> list[AudioFrame]:
    samples, _ = soundfile.read(READING, dtype="int16", stop=SECONDS * 16_000)
    return [
        AudioFrame(stream, seq, start, np.asarray(samples[start : start + FRAME_SAMPLES]).tobytes())
        for seq, start in enumerate(range(0, len(samples), FRAME_SAMPLES))
        for stream in (0, 1)
    ]


@pytest.mark.parametrize("facts", [MAD_MOMENTS, MAD_CLOCKS], ids=["moments", "clocks"])
async def test_clocks_that_were_never_set_cost_a_session_none_of_its_words(
    pool: Pool, tmp_path: Path, facts: Sequence[Fact]
) -> None:
    archive, journal = PostgresArchive(pool), PostgresJournal(pool)
    await archive.create_session(SessionSpec("s"))
    finished = asyncio.Event()

    async def finish() -> None:
        finished.set()

    runner = SessionRunner(
        await journal.claim("s", "actor"),
        journal,
        ScriptedEngines(one_word),
        SessionValues(),
        RecordingReader("s", Recordings(archive, ChunkFileStore(tmp_path))),
        finish,
        Tally(),
    )
    await runner.start()
    await runner.connect("bot", [StreamSpec(n, PcmFormat("s16le", 16_000, 1)) for n in (0, 1)])
    frames = spoken()
    end = EndOfStreams(tuple((n, len(frames) // 2 - 1) for n in (0, 1)), len(facts) - 1)
    batches: list[tuple[AudioFrame | Fact | EndOfStreams, ...]]
    batches = [(*frames[:20], *facts), (*frames[20:], end)]
    for items in batches:
        reply = await runner.push("bot", IngestBatch(items, (ZERO_NS,) * len(items)))
        assert reply.error is None
    async with asyncio.timeout(60):
        await finished.wait()
    await runner.stop()
    assert (await archive.session("s")).status == "completed"
    lines = [one.segment for one in await archive.segments("s")]
    assert {line.stream for line in lines} == {0, 1}
    assert all(line.end_ns <= SECONDS * 1_000_000_000 for line in lines)
