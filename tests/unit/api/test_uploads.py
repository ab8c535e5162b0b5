import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

import pytest

from orchestration.api import upload_steps
from orchestration.api.audio_jobs import Place, Uploads
from orchestration.api.connection import Detached
from orchestration.api.upload_job import UploadJob, UploadOrder
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.errors import DatabaseUnavailable, Unavailable
from orchestration.session.exchange import Notice
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import SessionRow, SessionSpec
from tests.data.make_files import FORMATS, tone_file
from tests.doubles.in_memory_archive import InMemoryArchive
from tests.doubles.in_memory_sessions import InMemorySession, InMemorySessions

SPEC = SessionSpec("s1", title="tone.flac")


@pytest.fixture
def sessions() -> InMemorySessions:
    return InMemorySessions(InMemoryArchive())


@pytest.fixture
def uploads(sessions: InMemorySessions, tmp_path: Path) -> Uploads:
    current = CurrentSettings(Settings(data_dir=tmp_path))
    return Uploads(current, sessions, sessions.archive, Detached())


class WatchedFile(SpooledTemporaryFile[bytes]):
    """Says when it is closed: its job is over."""

    def __init__(self) -> None:
        super().__init__()
        self.write(tone_file(FORMATS["flac"]))
        self.seek(0)
        self.was_closed = asyncio.Event()

    def close(self) -> None:
        super().close()
        self.was_closed.set()


def order(file: WatchedFile | None = None) -> UploadOrder:
    return UploadOrder("tone.flac", 1, cast(BinaryIO, file or WatchedFile()), SPEC, "s1", None)


async def finished(uploads: Uploads, job: UploadJob) -> None:
    async with asyncio.timeout(60):
        await job.finished.wait()
    await uploads.close()


async def test_a_file_whose_caller_leaves_before_its_session_is_there_is_heard_all_the_same(
    uploads: Uploads, sessions: InMemorySessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, asked, go_on = sessions.create, asyncio.Event(), asyncio.Event()

    async def slow_create(spec: SessionSpec, upload: UploadRow) -> tuple[SessionRow, bool]:
        asked.set()
        await go_on.wait()
        return await create(spec, upload)

    monkeypatch.setattr(sessions, "create", slow_create)
    file = WatchedFile()
    caller = asyncio.create_task(uploads.start(order(file), Place()))
    await asked.wait()
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    async with asyncio.timeout(60):
        await file.was_closed.wait()
    await uploads.close()
    assert (uploads.done, uploads.failed) == (1, 0)
    assert sessions.archive.of("s1").row.status == "completed"


async def test_a_file_whose_words_are_awaited_outlasts_the_database(
    uploads: Uploads, sessions: InMemorySessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_steps, "POLL_S", 0.01)
    ended = asyncio.Event()
    complete = InMemorySession.complete

    def end_during_an_outage(session: InMemorySession) -> None:
        sessions.archive.outage = DatabaseUnavailable("It restarts.")
        asyncio.get_running_loop().call_later(0.1, end_outage, session)

    def end_outage(session: InMemorySession) -> None:
        sessions.archive.outage = None
        complete(session)
        ended.set()

    monkeypatch.setattr(InMemorySession, "complete", end_during_an_outage)
    job = await uploads.start(order(), Place())
    await finished(uploads, job)
    assert ended.is_set()
    assert job.error is None
    assert sessions.archive.of("s1").row.status == "completed"


async def test_a_stopping_service_says_so_to_whoever_waits_for_a_file_to_begin(
    uploads: Uploads, sessions: InMemorySessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def no_answer(spec: SessionSpec, upload: UploadRow) -> tuple[SessionRow, bool]:
        asked.set()
        return await asyncio.Future[tuple[SessionRow, bool]]()

    monkeypatch.setattr(sessions, "create", no_answer)
    caller = asyncio.create_task(uploads.start(order(), Place()))
    await asked.wait()
    await uploads.close()
    async with asyncio.timeout(60):
        with pytest.raises(Unavailable):
            await caller


class Listened:
    """Counts how often a session is asked for what it has to tell."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        notice = InMemorySession.notice
        self._times = asyncio.Semaphore(0)

        async def counted(session: InMemorySession, connection_id: str) -> Notice:
            self._times.release()
            return await notice(session, connection_id)

        monkeypatch.setattr(InMemorySession, "notice", counted)

    async def times(self, count: int) -> None:
        async with asyncio.timeout(60):
            for _ in range(count):
                await self._times.acquire()


async def test_a_file_that_is_long_on_its_way_lets_its_session_know_that_somebody_sends(
    uploads: Uploads, sessions: InMemorySessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened = Listened(monkeypatch)
    await sessions.create(SPEC)
    sessions.running["s1"].push_gate.clear()
    job = await uploads.start(replace(order(), session=None), Place())
    await listened.times(3)
    assert not job.finished.is_set()
    sessions.running["s1"].push_gate.set()
    sessions.running["s1"].complete()
    await finished(uploads, job)
    assert job.error is None


async def test_a_session_that_restarts_is_listened_to_again(
    uploads: Uploads, sessions: InMemorySessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_steps, "POLL_S", 0.01)
    listened = Listened(monkeypatch)
    await sessions.create(SPEC)
    job = await uploads.start(replace(order(), session=None), Place())
    await listened.times(1)
    sessions.running["s1"].restart()
    async with asyncio.timeout(60):
        await sessions.running["s1"].connected.wait()
    await listened.times(2)
    sessions.running["s1"].complete()
    await finished(uploads, job)
    assert job.error is None
