"""Uploads as they stand: those of this process, and those that the archive knows."""

import re

from orchestration.api.audio_jobs import Uploads
from orchestration.api.audio_views import UploadJobView, UploadResult, job_view, upload_result
from orchestration.api.coverage import stream_coverages
from orchestration.api.upload_job import UploadJob
from orchestration.errors import UnknownJob
from orchestration.session.fields import MAX_STREAM
from orchestration.storage.archive_ports import Archive

JOB_ID = re.compile(r"(?P<session_id>[A-Za-z0-9_-]{1,64})\.(?P<stream>[0-9]{1,5})")
"""A session's id and a stream of it."""


class UploadResults:
    """What an upload came to, whichever replica it came to."""

    def __init__(self, archive: Archive, uploads: Uploads) -> None:
        self._archive = archive
        self._uploads = uploads

    async def of(self, job: UploadJob, with_speakers: bool) -> UploadResult:
        """A finished job's result; raises what ended it."""
        if job.error is not None:
            raise job.error
        session_id, stream = job.order.session_id, job.stream
        return await self._stored(session_id, stream, job, with_speakers)

    async def view(self, job_id: str) -> UploadJobView:
        """Any job. Raises UnknownJob."""
        job = self._uploads.known(job_id)
        if job is not None:
            return job_view(job)
        named = JOB_ID.fullmatch(job_id)
        if named is None or int(named["stream"]) > MAX_STREAM:
            raise UnknownJob("No job has this id.", {"job_id": job_id[:100]})
        session_id = named["session_id"]
        result = await self._stored(session_id, int(named["stream"]), None, True)
        heard = result.processing_result
        assert heard is not None
        done = heard.status in ("completed", "failed") or not heard.pending_seconds
        duration = result.audio_metadata.duration
        return UploadJobView(
            job_id=job_id,
            request_id=job_id,
            session_id=session_id,
            status=("failed" if heard.status == "failed" else "completed")
            if done
            else "processing",
            stage="done" if done else "transcribing",
            progress=1.0 if done else round(1 - heard.pending_seconds / max(duration, 0.001), 3),
            decoded_seconds=duration,
            transcribed_seconds=round(duration - heard.pending_seconds, 3),
            status_url=f"/api/audio/jobs/{job_id}",
            live_url=f"/ws/live/{session_id}",
            result=result if done else None,
        )

    async def _stored(
        self, session_id: str, stream: int, job: UploadJob | None, with_speakers: bool
    ) -> UploadResult:
        row = await self._archive.session(session_id)
        streams = await self._archive.streams(session_id)
        mine = next((one for one in streams if one.spec.stream == stream), None)
        if mine is None:
            raise UnknownJob("No job has this id.", {"session_id": session_id, "stream": stream})
        stored = await self._archive.segments(session_id)
        coverage = stream_coverages([mine])[0]
        job_id = f"{session_id}.{stream}"
        return upload_result(job_id, row, mine, coverage, stored, job, with_speakers)
