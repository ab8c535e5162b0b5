"""Uploads as they stand: those of this process, of others, and those that the archive knows."""

import contextlib
import re

from orchestration.api.audio_jobs import Uploads
from orchestration.api.audio_views import (
    UploadJobView,
    UploadResult,
    job_problem,
    job_view,
    upload_result,
)
from orchestration.api.coverage import stream_coverages
from orchestration.api.replicas import Replicas
from orchestration.api.upload_job import UploadJob
from orchestration.api.upload_steps import is_whole
from orchestration.audio.decoding import DecodeLimits
from orchestration.config.current import CurrentSettings
from orchestration.errors import Unavailable, UnknownJob, UnknownSession
from orchestration.session.fields import MAX_STREAM
from orchestration.session.inputs import StreamSpec
from orchestration.session.status import TERMINAL
from orchestration.storage.archive_ports import Archive
from orchestration.storage.values import SessionRow, StreamRow

JOB_ID = re.compile(r"(?P<session_id>[A-Za-z0-9_-]{1,64})\.(?P<stream>[0-9]{1,5})")
"""A session's id and a stream of it."""

_INTERRUPTED = Unavailable(
    "The replica that took the file ended before all of it was in its session; send it again."
)


class UploadResults:
    """What an upload came to, whichever replica it came to."""

    def __init__(
        self, current: CurrentSettings, archive: Archive, uploads: Uploads, replicas: Replicas
    ) -> None:
        self._current = current
        self._archive = archive
        self._uploads = uploads
        self._replicas = replicas

    async def of(self, job: UploadJob, with_speakers: bool) -> UploadResult:
        """A finished job's result; raises what ended it."""
        if job.error is not None:
            raise job.error
        session_id, stream = job.order.session_id, job.stream
        return await self._stored(session_id, stream, job, with_speakers)

    async def view(self, job_id: str, with_speakers: bool = True) -> UploadJobView:
        """Any job: of this replica, of another, or as it is stored.

        A replica that is gone has left a stream with the whole file, which is heard without it, or
        a part: then the job has failed.

        Raises:
            UnknownJob, UnknownSession: nobody has heard of it.
        """
        job = self._uploads.known(job_id)
        if job is not None:
            return job_view(job)
        named = JOB_ID.fullmatch(job_id)
        if named is None or int(named["stream"]) > MAX_STREAM:
            raise UnknownJob("No job has this id.", {"job_id": job_id[:100]})
        session_id, stream = named["session_id"], int(named["stream"])
        with contextlib.suppress(UnknownSession, UnknownJob):
            view = await self._stored_view(session_id, stream, with_speakers)
            if view.status != "processing" and view.error is None:
                return view
        # Before the archive is looked at again: a job that ends meanwhile is in there.
        said = await self._replicas.job(job_id)
        if said.job is not None:
            return UploadJobView.model_validate(said.job)
        view = await self._stored_view(session_id, stream, with_speakers)
        if view.error is not None and said.answered < self._current.now.server.ingress_replicas:
            # Who did not answer may be the one that is at it.
            return view.model_copy(update={"status": "processing", "error": None})
        return view

    async def _stored_view(
        self, session_id: str, stream: int, with_speakers: bool
    ) -> UploadJobView:
        """A job by what is stored, as if nobody were at it."""
        job_id = f"{session_id}.{stream}"
        row, mine = await self._rows(session_id, stream)
        result = await self._stored(session_id, stream, None, with_speakers)
        heard = result.processing_result
        assert heard is not None
        duration = result.audio_metadata.duration
        is_heard = row.status in TERMINAL or not heard.pending_seconds
        error = None if is_whole(mine) or row.status == "failed" else job_problem(_INTERRUPTED)
        done = is_heard and error is None
        status = "completed" if done else "processing"
        if error is not None or (done and row.status == "failed"):
            status = "failed"
        transcribed = duration - heard.pending_seconds
        return UploadJobView(
            job_id=job_id,
            request_id=job_id,
            session_id=session_id,
            status=status,
            stage="done" if done else "transcribing" if error is None else "decoding",
            progress=1.0 if done else round(transcribed / max(duration, 0.001), 3),
            decoded_seconds=duration,
            transcribed_seconds=round(transcribed, 3),
            status_url=f"/api/audio/jobs/{job_id}",
            live_url=f"/ws/live/{session_id}",
            error=error,
            result=result if done else None,
        )

    async def _rows(self, session_id: str, stream: int) -> tuple[SessionRow, StreamRow]:
        row = await self._archive.session(session_id)
        if await self._archive.upload(session_id, stream) is None:
            raise UnknownJob("No job has this id.", {"session_id": session_id, "stream": stream})
        streams = await self._archive.streams(session_id)
        unopened = StreamRow(StreamSpec(stream, DecodeLimits().format), 0, 0, None, None)
        return row, next((one for one in streams if one.spec.stream == stream), unopened)

    async def _stored(
        self, session_id: str, stream: int, job: UploadJob | None, with_speakers: bool
    ) -> UploadResult:
        row, mine = await self._rows(session_id, stream)
        stored = await self._archive.segments(session_id)
        coverage = stream_coverages([mine])[0]
        job_id = f"{session_id}.{stream}"
        return upload_result(job_id, row, mine, coverage, stored, job, with_speakers)
