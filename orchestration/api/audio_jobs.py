"""Uploaded files on their way to a transcript: as many at once as the service allows."""

import asyncio
import contextlib
from collections.abc import Iterator

import structlog

from orchestration.api.audio_sender import SessionSender
from orchestration.api.connection import Detached
from orchestration.api.ports import Sessions
from orchestration.api.upload_job import UploadJob, UploadOrder
from orchestration.api.upload_steps import await_words, open_file_stream, push_file
from orchestration.audio.decoding import DecodeLimits
from orchestration.config.current import CurrentSettings
from orchestration.errors import LimitReached, OrchestrationError, Unavailable
from orchestration.services.decoding import Decoding, open_decoding
from orchestration.storage.archive_ports import Archive

MAX_FAILED_KEPT = 1000
"""Failed uploads that a process still tells of; the oldest is forgotten for one more."""

_log = structlog.get_logger(__name__)


class Place:
    """A place among the uploads; a job that keeps it gives it back itself."""

    kept = False


class Uploads:
    """Carries uploads out; they go on when their callers leave."""

    def __init__(
        self, current: CurrentSettings, sessions: Sessions, archive: Archive, detached: Detached
    ) -> None:
        self._current = current
        self._sessions = sessions
        self._archive = archive
        self._detached = detached
        self._jobs: dict[str, UploadJob] = {}
        self._lately_failed: dict[str, UploadJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.under_way = 0
        """Uploads that hold a place."""
        self.done = 0
        self.failed = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[Place]:
        """A place for one upload, from its first byte on; a job that starts keeps it."""
        limit = self._current.now.audio.max_uploads
        if self.under_way >= limit:
            raise LimitReached(
                f"{limit} uploads are under way, as many as are allowed; come back later.",
                {"limit": "max_uploads", "max": limit},
            )
        self.under_way += 1
        place = Place()
        try:
            yield place
        finally:
            if not place.kept:
                self.under_way -= 1

    def limits(self) -> DecodeLimits:
        """What an upload that begins now may cost to decode."""
        settings = self._current.now.audio
        return DecodeLimits(
            max_file_bytes=settings.max_upload_bytes,
            max_duration_ms=settings.max_upload_duration_s * 1000,
            max_expansion=settings.max_expansion,
            max_cpu_s=settings.decode_timeout_s,
            max_wait_ms=settings.decode_timeout_s * 1000,
        )

    async def start(self, order: UploadOrder, place: Place) -> UploadJob:
        """Begin; returns once the file is known to be audio and its session is there. From here on
        the file is the job's, which goes on also when this wait is given up.

        Raises:
            OrchestrationError: the file, or the session, is refused.
        """
        job = UploadJob(order)
        place.kept = True
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await job.begun.wait()
        if job.error is not None:
            raise job.error
        return job

    def known(self, job_id: str) -> UploadJob | None:
        """A job of this process that is still under way, or failed lately: the session of its own
        went with it."""
        return self._jobs.get(job_id) or self._lately_failed.get(job_id)

    async def close(self) -> None:
        """End what is under way; the sessions keep what was pushed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, job: UploadJob) -> None:
        created = False
        try:
            async with open_decoding(job.order.file, self.limits()) as decoding:
                job.step(source=decoding.source)
                if job.order.session is not None:
                    # Before anybody can ask after it: whoever finds it stored finds it here.
                    self._jobs[job.job_id] = job
                    await self._sessions.create(job.order.session, job.row)
                    created = True
                session_id = job.order.session_id
                connection_id = await self._archive.new_connection_id(session_id)
                sender = SessionSender(session_id, connection_id, self._sessions, self._archive)
                try:
                    await self._into_session(job, decoding, sender)
                finally:
                    sender.close(self._detached)
            self.done += 1
        except asyncio.CancelledError:
            job.error = Unavailable("The service stops; send the file again.")
            raise
        except OrchestrationError as error:
            await self._on_failure(job, error, created)
        except Exception:
            _log.exception("upload_failed", session_id=job.order.session_id)
            unforeseen = OrchestrationError("Something unexpected went wrong.")
            await self._on_failure(job, unforeseen, created)
        finally:
            self.under_way -= 1
            job.order.file.close()
            self._jobs.pop(job.job_id, None)
            job.begun.set()
            job.finished.set()
            job.step()

    async def _into_session(
        self, job: UploadJob, decoding: Decoding, sender: SessionSender
    ) -> None:
        stream = await open_file_stream(job, sender, self.limits().format)
        self._jobs[job.job_id] = job
        if job.order.session is None:
            await self._archive.note_upload(job.row)
        job.begun.set()
        listening = asyncio.create_task(sender.listen())
        try:
            await push_file(job, decoding, sender, stream)
            await await_words(job, listening, self._archive)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _on_failure(self, job: UploadJob, error: OrchestrationError, created: bool) -> None:
        self.failed += 1
        job.error = error
        if job.begun.is_set():
            self._lately_failed[job.job_id] = job
            if len(self._lately_failed) > MAX_FAILED_KEPT:
                del self._lately_failed[next(iter(self._lately_failed))]
        if created:
            with contextlib.suppress(OrchestrationError):
                await self._sessions.delete(job.order.session_id)
