"""Uploaded files on their way to a transcript: as many at once as the service allows."""

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import structlog

from orchestration.api.audio_sender import FileStream, SessionSender
from orchestration.api.connection import Detached
from orchestration.api.coverage import stream_coverages
from orchestration.api.ports import Sessions
from orchestration.api.session_line import SessionIsOver
from orchestration.audio.decoding import DecodeLimits, SourceInfo
from orchestration.config.models import AudioSettings
from orchestration.errors import (
    LimitReached,
    OrchestrationError,
    SessionEnded,
    TakenOver,
)
from orchestration.services.decoding import Decoding, open_decoding
from orchestration.session.fields import MAX_STREAM
from orchestration.session.inputs import EndOfStreams, ParticipantRef, StreamSpec
from orchestration.storage.archive_ports import Archive
from orchestration.storage.values import SessionSpec, StreamRow

CLOSING_SILENCE_MS = 1500
"""Silence behind a file in somebody's session: it ends the last utterance, which in a session of
the file's own the end of the stream does."""
POLL_S = 0.5
"""How often a job looks at what is stored."""

TRANSLATIONS_WAIT_S = 30
"""How long a file in somebody's session waits for translations behind its last words."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadOrder:
    """What an upload asked for. `session` is the session to create, None for `session_id`."""

    filename: str
    file_size: int
    file: BinaryIO
    session: SessionSpec | None
    session_id: str
    participant: ParticipantRef | None


@dataclass(slots=True)
class UploadJob:
    """One file's way. Times are milliseconds of the file's audio."""

    order: UploadOrder
    stream: int = 0
    stage: str = "decoding"
    source: SourceInfo | None = None
    decoded_ms: int = 0
    heard_ms: int = 0
    damaged_packets: int = 0
    error: OrchestrationError | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def job_id(self) -> str:
        """Where its result is: any replica finds it by this."""
        return f"{self.order.session_id}.{self.stream}"

    def step(self, **values: Any) -> None:
        """Something of it changed."""
        for name, value in values.items():
            setattr(self, name, value)
        self.changed.set()
        self.changed = asyncio.Event()


class Place:
    """A place among the uploads; a job that keeps it gives it back itself."""

    kept = False


class Uploads:
    """Carries uploads out; they go on when their callers leave."""

    def __init__(
        self, settings: AudioSettings, sessions: Sessions, archive: Archive, detached: Detached
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._archive = archive
        self._detached = detached
        self._jobs: dict[str, UploadJob] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = settings.max_uploads
        self.done = 0
        self.failed = 0

    @property
    def under_way(self) -> int:
        """Uploads that hold a place."""
        return self._settings.max_uploads - self._places

    @contextlib.contextmanager
    def place(self) -> Iterator["Place"]:
        """A place for one upload, from its first byte on; a job that starts keeps it."""
        if self._places <= 0:
            limit = self._settings.max_uploads
            raise LimitReached(
                f"{limit} uploads are under way, as many as are allowed; come back later.",
                {"limit": "max_uploads", "max": limit},
            )
        self._places -= 1
        place = Place()
        try:
            yield place
        finally:
            if not place.kept:
                self._places += 1

    def limits(self) -> DecodeLimits:
        """What an upload may cost to decode."""
        settings = self._settings
        return DecodeLimits(
            max_file_bytes=settings.max_upload_bytes,
            max_duration_ms=settings.max_upload_duration_s * 1000,
            max_expansion=settings.max_expansion,
            max_cpu_s=settings.decode_timeout_s,
            max_wait_ms=settings.decode_timeout_s * 1000,
        )

    async def start(self, order: UploadOrder, place: "Place") -> UploadJob:
        """Begin; returns once the file is known to be audio and its session is there.

        Raises:
            OrchestrationError: the file, or the session, is refused.
        """
        job = UploadJob(order)
        begun = asyncio.get_running_loop().create_future()
        place.kept = True
        task = asyncio.create_task(self._run(job, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await begun
        self._jobs[job.job_id] = job
        return job

    def known(self, job_id: str) -> UploadJob | None:
        """A job of this process that is still under way."""
        return self._jobs.get(job_id)

    async def close(self) -> None:
        """End what is under way; the sessions keep what was pushed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, job: UploadJob, begun: "asyncio.Future[None]") -> None:
        created = False
        try:
            async with open_decoding(job.order.file, self.limits()) as decoding:
                job.step(source=decoding.source)
                if job.order.session is not None:
                    await self._sessions.create(job.order.session)
                    created = True
                sender = SessionSender(job.order.session_id, self._sessions, self._archive)
                try:
                    await self._carry(job, decoding, sender, begun)
                finally:
                    sender.close(self._detached)
            self.done += 1
        except asyncio.CancelledError:
            job.error = OrchestrationError("The service stops.")
            raise
        except OrchestrationError as error:
            await self._on_failure(job, error, begun, created)
        except Exception:
            _log.exception("upload failed", session_id=job.order.session_id)
            unforeseen = OrchestrationError("Something unexpected went wrong.")
            await self._on_failure(job, unforeseen, begun, created)
        finally:
            self._places += 1
            job.order.file.close()
            job.finished.set()
            job.step()
            self._jobs.pop(job.job_id, None)

    async def _on_failure(
        self,
        job: UploadJob,
        error: OrchestrationError,
        begun: "asyncio.Future[None]",
        created: bool,
    ) -> None:
        self.failed += 1
        job.error = error
        if created:
            with contextlib.suppress(OrchestrationError):
                await self._sessions.delete(job.order.session_id)
        if not begun.done():
            begun.set_exception(error)

    async def _carry(
        self,
        job: UploadJob,
        decoding: Decoding,
        sender: SessionSender,
        begun: "asyncio.Future[None]",
    ) -> None:
        fmt = self.limits().format
        try:
            taken = await sender.connect()
            job.stream = free_stream(taken)
            spec = StreamSpec(job.stream, fmt, job.order.participant)
            await sender.open_stream(spec)
        except SessionIsOver:
            raise SessionEnded(
                f"Session {job.order.session_id} has ended.", {"session_id": job.order.session_id}
            ) from None
        begun.set_result(None)
        stream = FileStream(sender, spec)
        pieces = decoding.pieces()
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                await stream.write(piece)
                decoded_ms = stream.samples * 1000 // fmt.sample_rate
                if decoded_ms != job.decoded_ms:
                    job.step(decoded_ms=decoded_ms)
        if job.order.session is None:
            await stream.write(bytes(CLOSING_SILENCE_MS * fmt.sample_rate // 1000 * 2))
        await stream.flush()
        job.step(
            stage="transcribing",
            decoded_ms=stream.samples * 1000 // fmt.sample_rate,
            damaged_packets=decoding.damaged_packets,
        )
        if job.order.session is not None:
            await sender.push(EndOfStreams(((job.stream, stream.last_seq),), -1))
        await self._await_words(job, sender)

    async def _await_words(self, job: UploadJob, sender: SessionSender) -> None:
        """Until the file's words and their translations are stored."""
        own_session = job.order.session is not None
        session_id = job.order.session_id
        listening = asyncio.create_task(_listen(sender))
        loop = asyncio.get_running_loop()
        heard_at_s: float | None = None
        try:
            while True:
                row = await self._archive.session(session_id)
                pending_ms = await self._pending_ms(job)
                heard_ms = max(0, job.decoded_ms - pending_ms)
                if heard_ms != job.heard_ms:
                    job.step(heard_ms=heard_ms)
                if row.status in ("completed", "failed"):
                    return
                if not own_session and pending_ms == 0:
                    heard_at_s = heard_at_s or loop.time()
                    late = loop.time() - heard_at_s > TRANSLATIONS_WAIT_S
                    if late or await self._is_translated(job, row.spec.target_languages):
                        return
                if listening.done():
                    # A file of its own has said its end: it needs no sender any more.
                    error = listening.exception()
                    if error is not None and not own_session:
                        raise error
                await asyncio.sleep(POLL_S)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _pending_ms(self, job: UploadJob) -> int:
        streams = await self._archive.streams(job.order.session_id)
        return next((pending_ms_of(one) for one in streams if one.spec.stream == job.stream), 0)

    async def _is_translated(self, job: UploadJob, languages: Sequence[str]) -> bool:
        if not languages:
            return True
        return all(
            {one.language for one in stored.translations} | {stored.segment.language}
            >= set(languages)
            for stored in await self._archive.segments(job.order.session_id)
            if stored.segment.stream == job.stream
        )


def free_stream(taken: Collection[int]) -> int:
    """The number behind all that are taken, else the lowest that is free: a session has at most
    `max_streams` of them."""
    behind = max(taken, default=-1) + 1
    if behind <= MAX_STREAM:
        return behind
    return next(number for number in range(MAX_STREAM + 1) if number not in taken)


def pending_ms_of(row: StreamRow) -> int:
    """Milliseconds of a stream that are neither heard, silent nor lost, as stored."""
    coverage = stream_coverages([row])[0]
    pending, rate = coverage["pending"], coverage["sample_rate"]
    assert isinstance(pending, int)
    assert isinstance(rate, int)
    return pending * 1000 // rate


async def _listen(sender: SessionSender) -> None:
    """Keeps the line to the session alive; raises TakenOver when another took it."""
    try:
        while True:
            notice = await sender.notice()
            if notice.kind == "taken_over":
                raise TakenOver("A newer connection serves this session.")
            if notice.kind == "ended":
                return
            if notice.kind == "goaway":
                await asyncio.sleep(POLL_S)
    except SessionIsOver:
        return
