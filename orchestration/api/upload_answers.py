"""What whoever sends a file is answered: its result, or how it is doing."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Protocol

from starlette.responses import JSONResponse, Response

from orchestration.api.audio_results import UploadResults
from orchestration.api.audio_views import JobProblem, UploadJobView, UploadResult, job_view
from orchestration.api.problems import problem
from orchestration.api.upload_job import UploadJob
from orchestration.errors import OrchestrationError, Unavailable
from orchestration.json_types import JsonObject

SSE_HEARTBEAT_S = 10
REPEATED_POLL_S = 1.0
"""How often a request that came again looks at the file of the first one."""


class FollowedJob(Protocol):
    """A file whose sender waits for it."""

    async def unfinished(self) -> UploadJobView | None:
        """How it is doing; None once it is done, or has failed."""
        ...

    async def changed(self) -> None:
        """Wait until there may be something new."""
        ...

    async def result(self) -> UploadResult | JobProblem:
        """What it came to.

        Raises:
            OrchestrationError: what ended it.
        """
        ...


class JobHere:
    """A job of this process."""

    def __init__(self, job: UploadJob, results: UploadResults, with_speakers: bool) -> None:
        self._job = job
        self._results = results
        self._with_speakers = with_speakers
        self._changed = job.changed

    async def unfinished(self) -> UploadJobView | None:
        self._changed = self._job.changed
        return None if self._job.finished.is_set() else job_view(self._job)

    async def changed(self) -> None:
        await self._changed.wait()

    async def result(self) -> UploadResult | JobProblem:
        return await self._results.of(self._job, self._with_speakers)


class RepeatedJob:
    """The job of a request that has come again, wherever it is."""

    def __init__(
        self, job_id: str, results: UploadResults, with_speakers: bool, name: str, size: int
    ) -> None:
        """`name` and `size` are the file's, which has come again too."""
        self._job_id = job_id
        self._results = results
        self._with_speakers = with_speakers
        self._of_the_file = {"filename": name, "file_size": size}
        self._view: UploadJobView | None = None

    async def unfinished(self) -> UploadJobView | None:
        try:
            self._view = await self._results.view(self._job_id, self._with_speakers)
        except Unavailable:
            if self._view is None:
                raise
        assert self._view is not None
        return self._view if self._view.status == "processing" else None

    async def changed(self) -> None:
        await asyncio.sleep(REPEATED_POLL_S)

    async def result(self) -> UploadResult | JobProblem:
        view = self._view
        assert view is not None
        if view.error is not None:
            return view.error
        assert view.result is not None
        return view.result.model_copy(update=self._of_the_file)


async def upload_answer(job: FollowedJob, within_s: float) -> Response:
    """The result, or 202 with the job where that takes longer."""
    view = await job.unfinished()
    try:
        async with asyncio.timeout(within_s):
            while view is not None:
                await job.changed()
                view = await job.unfinished()
    except TimeoutError:
        assert view is not None
        headers = {"Location": view.status_url, "Retry-After": "2"}
        return JSONResponse(view.model_dump(), status_code=202, headers=headers)
    result = await job.result()
    if isinstance(result, JobProblem):
        return problem(result.status, result.code, result.detail)
    return JSONResponse(result.model_dump())


async def upload_events(job: FollowedJob) -> AsyncIterator[str]:
    """Progress at each step, then the result or the problem, as Server-Sent Events."""
    try:
        while (view := await job.unfinished()) is not None:
            yield _event("progress", view.model_dump(exclude={"result"}))
            try:
                async with asyncio.timeout(SSE_HEARTBEAT_S):
                    await job.changed()
            except TimeoutError:
                yield ": still at work\n\n"
        result = await job.result()
        name = "error" if isinstance(result, JobProblem) else "result"
        yield _event(name, result.model_dump())
    except OrchestrationError as error:
        told: JsonObject = {
            **error.facts,
            "status": error.http_status,
            "code": error.code,
            "detail": error.message,
        }
        yield _event("error", told)


def _event(name: str, body: object) -> str:
    return f"event: {name}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"
