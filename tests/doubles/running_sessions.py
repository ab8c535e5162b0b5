"""Real sessions in one process, over a real database; their engines are scripted."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from orchestration.api.ports import SessionLink
from orchestration.errors import EngineError
from orchestration.health.report import HealthReport
from orchestration.metrics.meter import Tally
from orchestration.services.ports import (
    Hypothesis,
    HypothesisSegment,
    HypothesisWord,
    TranscriptionRequest,
    TranslationRequest,
)
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.runner import SessionRunner
from orchestration.session.status import TERMINAL
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import (
    CORRECTED_BY,
    Correction,
)
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.erasing import Erasing
from orchestration.storage.erasure_ports import ErasureReceipt, PersonAudio
from orchestration.storage.erasure_ports import Person as PersonToErase
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.recordings import Recordings
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import SessionRow, SessionSpec


class OneWordEngines:
    """Hears one word in every chunk, and translates it; while `down` it does neither."""

    def __init__(self) -> None:
        self.down = False

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        if self.down:
            raise EngineError("no whisper service answers")
        middle_ms = request.duration_ms // 2
        word = HypothesisWord("hello", middle_ms - 100, middle_ms + 100, 0.9)
        return Hypothesis("en", (HypothesisSegment((word,)),), "scripted")

    async def translate(self, request: TranslationRequest) -> str:
        return "olá"


class ActorHandle:
    """A link that outlives its session's incarnations, as a handle to a restarted actor does."""

    def __init__(self, runners: dict[str, SessionRunner], session_id: str) -> None:
        self._runners = runners
        self._session_id = session_id

    def __getattr__(self, method: str) -> Any:
        return getattr(self._runners[self._session_id], method)


class RunningSessions:
    """The Sessions port over runners in this process."""

    def __init__(
        self, archive: PostgresArchive, journal: PostgresJournal, recordings: Path
    ) -> None:
        self._archive = archive
        self._values = SessionValues(outage_patience_ms=0, recordings_dir=str(recordings))
        self._journal = journal
        self._erasing = Erasing(archive, ChunkFileStore(recordings))
        self._runners: dict[str, SessionRunner] = {}
        self.engines = OneWordEngines()
        self.finished = asyncio.Event()

    async def create(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        row, created = await self._archive.create_session(spec, upload)
        await self.restart(spec.session_id)
        return row, created

    async def restart(self, session_id: str) -> None:
        """As after the death of the session's actor."""
        former = self._runners.get(session_id)
        if former is not None:
            await former.stop()
        claim = await self._journal.claim(session_id, "actor")
        recordings = Recordings(
            self._archive, ChunkFileStore(Path(self._values.recordings_dir or ""))
        )
        runner = SessionRunner(
            claim,
            self._journal,
            self.engines,
            self._values,
            RecordingReader(session_id, recordings),
            self._finished,
            Tally(),
        )
        await runner.start()
        self._runners[session_id] = runner

    def apply(self, values: SessionValues) -> None:
        """The service's settings have changed."""
        for runner in self._runners.values():
            runner.apply(values)

    async def _finished(self) -> None:
        self.finished.set()

    async def link(self, session_id: str) -> SessionLink | None:
        row = await self._archive.session(session_id)
        if row.status in TERMINAL:
            return None
        handle: Any = ActorHandle(self._runners, session_id)
        return cast(SessionLink, handle)

    async def end(self, session_id: str) -> SessionRow:
        await self._runners[session_id].end()
        return await self._archive.session(session_id)

    async def configure(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        row = await self._archive.configure_session(session_id, change)
        await self._runners[session_id].configure()
        return row

    async def repair(self, session_id: str) -> int:
        self.finished.clear()
        await self.restart(session_id)
        return await self._runners[session_id].repair()

    async def correct(
        self, session_id: str, correction: Correction | None, corrected_by: str = CORRECTED_BY
    ) -> int:
        row = await self._archive.session(session_id)
        if row.status in TERMINAL:
            await self.restart(session_id)
        return await self._runners[session_id].correct(correction, corrected_by)

    async def erase_person(self, person: PersonToErase, audio: PersonAudio) -> ErasureReceipt:
        return await self._erasing.person(person, audio)

    async def delete(self, session_id: str) -> ErasureReceipt:
        return await self._erasing.session(session_id)

    async def health(self) -> HealthReport:
        return HealthReport("healthy", (), len(self._runners), 0, 0)

    async def stop(self) -> None:
        for runner in self._runners.values():
            await runner.stop()
