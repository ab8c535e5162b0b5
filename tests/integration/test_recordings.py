"""A running session's audio: from the journal into files, and out again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np
import pytest

from actors import upkeep as upkeep_module
from actors.upkeep import FILE_INTERVAL_MS, Upkeep
from orchestration.audio.pcm import PcmFormat
from orchestration.config.current import CurrentSettings
from orchestration.config.layers import Layers
from orchestration.config.models import RetentionSettings, SessionPolicy, Settings
from orchestration.errors import EngineError, UnknownSession
from orchestration.metrics.meter import Tally
from orchestration.services.ports import Hypothesis, TranscriptionRequest, TranslationRequest
from orchestration.session.exchange import IngestBatch
from orchestration.session.inputs import AudioFrame, EndOfStreams, StreamSpec
from orchestration.session.late_filing import LEFT_AFTER, LateFiling
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

SESSION = "meeting-1"
STREAM = StreamSpec(0, PcmFormat("s16le", 16_000, 1), None)
FRAME_SAMPLES = 320
FILE_MS = 5_000
ZERO_NS = 1_700_000_000_000_000_000


class Deaf:
    """Hears no word in any chunk."""

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        return Hypothesis("en", (), "deaf")

    async def translate(self, request: TranslationRequest) -> str:
        raise EngineError("there is nothing to translate")


@dataclass
class Service:
    """A session with its recorder, and what is around it."""

    settings: Settings
    dsn: str
    pool: Pool
    finished: asyncio.Event

    @property
    def archive(self) -> PostgresArchive:
        return PostgresArchive(self.pool)

    @property
    def recordings(self) -> Recordings:
        return Recordings(self.archive, ChunkFileStore(self.settings.recordings_dir))

    async def incarnation(self, *, records: bool = True) -> SessionRunner:
        journal = PostgresJournal(self.pool)
        values = SessionValues(
            recordings_dir=str(self.settings.recordings_dir) if records else None,
            recording_file_ms=FILE_MS,
        )

        async def finish() -> None:
            self.finished.set()

        runner = SessionRunner(
            await journal.claim(SESSION, "actor"),
            journal,
            Deaf(),
            values,
            RecordingReader(SESSION, self.recordings),
            finish,
            Tally(),
        )
        await runner.start()
        await runner.connect("bot", [STREAM])
        return runner

    async def journaled(self) -> int:
        count: int = await self.pool.fetchval("SELECT count(*) FROM bot_sessions.audio_journal")
        return count

    async def shrunk_to(self, frames: int) -> None:
        """Wait until the journal has no more than so many frames."""
        async with asyncio.timeout(60):
            while await self.journaled() > frames:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.1)

    async def heard(self) -> bytes:
        runs = [run async for run in self.recordings.audio(SESSION, STREAM)]
        return b"".join(run.values.astype("<i2").tobytes() for run in runs)

    async def late(self, late: LateFiling, open_sessions: tuple[str, ...] = ()) -> int:
        """A sweep when the session's actor is gone; how many sessions it filed."""
        later = datetime.now(UTC) + 2 * LEFT_AFTER
        files = ChunkFileStore(self.settings.recordings_dir)
        return await late.sweep(later, files, FILE_MS, open_sessions)

    def files(self) -> list[Path]:
        return sorted(self.settings.recordings_dir.rglob("*.flac"))


@pytest.fixture
async def service(server_dsn: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with migrated_pool(server_dsn, "recordings") as (dsn, pool):
        await PostgresArchive(pool).create_session(SessionSpec(SESSION))
        settings = Settings(data_dir=tmp_path, sessions=SessionPolicy(max_open=1))
        yield Service(settings, dsn, pool, asyncio.Event())


def audio(seconds: int) -> bytes:
    noise = np.random.default_rng(3).integers(-9000, 9000, seconds * 16_000, dtype=np.int16)
    return noise.astype("<i2").tobytes()


async def send(runner: SessionRunner, pcm: bytes, first_seq: int = 0) -> int:
    """Send PCM as frames of 20 ms; returns the next seq."""
    frames = [
        AudioFrame(0, first_seq + place, (first_seq + place) * FRAME_SAMPLES, pcm[at : at + 640])
        for place, at in enumerate(range(0, len(pcm), 640))
    ]
    reply = await runner.push("bot", IngestBatch(tuple(frames), (ZERO_NS,) * len(frames)))
    assert reply.error is None
    return first_seq + len(frames)


async def end(runner: SessionRunner, next_seq: int) -> None:
    ended = EndOfStreams(((0, next_seq - 1),), -1)
    await runner.push("bot", IngestBatch((ended,), (ZERO_NS,)))


async def test_a_recording_is_what_was_sent_over_a_restart_and_the_journal_shrinks_behind_it(
    service: Service,
) -> None:
    pcm = audio(32)
    runner = await service.incarnation()
    next_seq = await send(runner, pcm[: len(pcm) // 2])
    assert await service.heard() == pcm[: len(pcm) // 2]
    await runner.stop()
    runner = await service.incarnation()
    await end(runner, await send(runner, pcm[len(pcm) // 2 :], next_seq))
    await service.finished.wait()
    await service.shrunk_to(100)  # the two seconds that opening it again would hear
    await runner.stop()
    assert await service.heard() == pcm
    assert len(service.files()) == 7
    rows = await service.archive.recorded_files(SESSION, 0)
    assert [path.name for path in service.files()] == [row.name for row in rows]


async def test_without_a_recording_no_file_is_made_and_the_journal_shrinks(
    service: Service,
) -> None:
    runner = await service.incarnation(records=False)
    await end(runner, await send(runner, audio(12)))
    await service.finished.wait()
    await service.shrunk_to(100)
    await runner.stop()
    assert service.files() == []


async def test_a_file_that_cannot_be_written_alerts_and_loses_nothing(service: Service) -> None:
    pcm = audio(11)
    service.settings.recordings_dir.write_text("no folder")
    runner = await service.incarnation()
    next_seq = await send(runner, pcm)
    async with asyncio.timeout(60):
        while not (alerts := await _alerts(service)):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)
    assert alerts == [("critical", "recording_failed")]
    await end(runner, next_seq)
    await service.finished.wait()
    await runner.stop()
    assert await service.heard() == pcm


async def test_what_an_ended_session_could_not_file_is_filed_when_the_disk_takes_it(
    service: Service,
) -> None:
    pcm = audio(11)
    service.settings.recordings_dir.write_text("no folder")
    runner = await service.incarnation()
    await end(runner, await send(runner, pcm))
    await service.finished.wait()
    await runner.stop()
    late = LateFiling(service.archive, PostgresJournal(service.pool))
    assert await service.late(late) == 0
    service.settings.recordings_dir.unlink()

    assert await service.late(late, open_sessions=(SESSION,)) == 0
    assert service.files() == []
    assert await service.late(late) == 1
    assert await service.late(late) == 0

    assert len(service.files()) == 3
    assert await service.journaled() <= 100  # the two seconds that opening it again would hear
    assert await service.heard() == pcm


@pytest.mark.parametrize("records", [True, False])
async def test_late_files_are_made_while_recordings_are_and_again_when_it_is_time(
    service: Service, records: bool
) -> None:
    runner = await service.incarnation(records=False)
    await send(runner, audio(2))
    await runner.stop()
    await service.pool.execute(
        "UPDATE bot_sessions.sessions SET status = 'failed', end_time = now() - interval '1 hour'"
    )
    settings = Settings(data_dir=service.settings.data_dir, sessions=SessionPolicy(record=records))
    upkeep = Upkeep(CurrentSettings(settings), service.pool)
    await upkeep.look(0, (SESSION,), lambda session_id: None)
    await upkeep.look(FILE_INTERVAL_MS - 1, (), lambda session_id: None)
    assert service.files() == []
    await upkeep.look(FILE_INTERVAL_MS, (), lambda session_id: None)
    assert len(service.files()) == records


async def test_a_clock_that_is_ahead_of_the_databases_erases_nothing_early(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Ahead":
            return super().now(tz) + timedelta(days=400)

    monkeypatch.setattr(upkeep_module, "datetime", Ahead, raising=False)
    await service.pool.execute(
        "UPDATE bot_sessions.sessions SET status = 'completed', end_time = now()"
    )
    retention = RetentionSettings(sessions_days=30)
    policy = SessionPolicy(recording_retention_days=30)
    settings = Settings(data_dir=service.settings.data_dir, retention=retention, sessions=policy)
    await Upkeep(CurrentSettings(settings), service.pool).look(0, (), lambda session_id: None)
    assert (await service.archive.session(SESSION)).status == "completed"


async def test_nothing_is_filed_late_of_a_session_that_was_not_recorded(service: Service) -> None:
    runner = await service.incarnation(records=False)
    await end(runner, await send(runner, audio(12)))
    await service.finished.wait()
    await service.shrunk_to(100)
    await runner.stop()
    late = LateFiling(service.archive, PostgresJournal(service.pool))
    assert (await service.late(late), service.files()) == (0, [])


async def _alerts(service: Service) -> list[tuple[object, object]]:
    events = await service.archive.events(SESSION, 0, 100)
    return [(one.body["level"], one.body["code"]) for one in events if one.type == "alert"]


# Ray Serve is imported with the coordinator, and its own imports warn.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_deleting_a_session_removes_its_files_and_its_rows(service: Service) -> None:
    from actors.coordinator import Coordinator

    class RunningCoordinator(Coordinator):
        """A coordinator without a cluster: it knows its sessions already."""

        async def ready(self) -> None:
            return

    runner = await service.incarnation()
    await end(runner, await send(runner, audio(12)))
    await service.finished.wait()
    await service.shrunk_to(100)
    await runner.stop()
    assert service.files()
    coordinator = RunningCoordinator(Layers.of(service.settings), service.dsn, "none")
    await coordinator.delete(SESSION)
    assert list(service.settings.recordings_dir.iterdir()) == []
    assert await service.pool.fetchval("SELECT count(*) FROM bot_sessions.audio_files") == 0
    with pytest.raises(UnknownSession):
        await service.archive.session(SESSION)
