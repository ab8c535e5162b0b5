"""The client's methods for files that become sessions, or streams of sessions."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp

from orchestration.client.backoff import Backoff
from orchestration.client.files import AudioSource, file_form, participant_json, rewinding
from orchestration.client.problems import error_for_problem
from orchestration.client.server_sent_events import EventParser, events_of
from orchestration.client.transport import Transport, given, shown_url
from orchestration.errors import (
    LimitReached,
    OrchestrationError,
    RepeatUnderWay,
    ServiceUnreachable,
    Unavailable,
)
from orchestration.json_types import JsonObject
from orchestration.session.inputs import ParticipantRef

UPLOAD_PATH = "/api/audio/upload"
UPLOAD_TRIES = 6
"""How often a file is sent in all, when its answers are lost or the service is away."""
JOB_INTERVAL_S = 2
"""How often a job is looked at whose events have broken off."""
SILENCE_LIMIT_S = 60
"""Without an event or a comment for this long the connection is given up; one comes every 10 s."""

Progress = Callable[[JsonObject], None]


class UploadCalls(Transport):
    """Files, and how they are doing."""

    async def upload(
        self,
        file: AudioSource,
        *,
        session_id: str | None = None,
        title: str | None = None,
        language: str | None = None,
        target_languages: Sequence[str] = (),
        settings: JsonObject | None = None,
        participant: ParticipantRef | None = None,
        transcription: bool = True,
        speaker_diarization: bool = True,
        idempotency_key: str | None = None,
        on_progress: Progress = lambda job: None,
    ) -> JsonObject:
        """Transcribe a file, and wait for what it comes to; the route's result.

        Args:
            file: a path, the content, or an open file.
            session_id: the session whose next stream it becomes; without, it is one of its own.
            title, language, target_languages, settings: of a session of its own.
            participant: whose voice alone is in it.
            transcription: False only looks at the file.
            speaker_diarization: False leaves the speakers out of the result.
            idempotency_key: 1 to 255 visible characters, by which the service knows this file when
                it comes again, from another process too; without, one is made up.
            on_progress: is given the job as it goes on.

        A connection that is lost once the file has arrived is no matter: the job goes on, and is
        asked for its result. Where it cannot be known whether the file arrived, and where the
        service says to send it again, it is sent again, `UPLOAD_TRIES` times in all, under the same
        key: it is heard once.

        Raises:
            OrchestrationError: the file or its session is refused, or the job has failed.
        """
        config = given(title=title, settings=settings, participant=participant_json(participant))
        fields = {
            "session_id": session_id,
            "language": language,
            "config": json.dumps(config) if config else None,
            "transcription": json.dumps(transcription),
            "speaker_diarization": json.dumps(speaker_diarization),
        }
        repeated = {"target_languages": list(target_languages)}
        key = idempotency_key or uuid4().hex
        rewind = rewinding(file)
        backoff = Backoff(random.random)
        tries = 0
        while True:
            try:
                with file_form(file, fields, repeated) as form:
                    return await self._sent(form, key, on_progress)
            except (ServiceUnreachable, Unavailable, LimitReached, RepeatUnderWay) as trouble:
                tries += 1
                if rewind is None or tries == UPLOAD_TRIES:
                    raise
                if tries == 1 and _nothing_was_lost(trouble):
                    raise
            await asyncio.sleep(backoff.wait_ns() / 1e9)
            rewind()

    async def upload_job(self, job_id: str) -> JsonObject:
        """How an uploaded file is doing, and its result once it is done."""
        return await self._json("GET", f"/api/audio/jobs/{quote(job_id, safe='')}")

    async def _sent(self, form: Any, key: str, on_progress: Progress) -> JsonObject:
        """One try."""
        job_id: str | None = None

        def progress(job: JsonObject) -> None:
            nonlocal job_id
            job_id = str(job["job_id"])
            on_progress(job)

        try:
            return await self._heard(form, key, progress)
        except (ServiceUnreachable, Unavailable):
            if job_id is None:
                raise
        return await self._awaited(job_id, on_progress)

    async def _heard(self, form: Any, key: str, on_progress: Progress) -> JsonObject:
        headers = {"Accept": "text/event-stream", "Idempotency-Key": f'"{key}"'}
        async with self._request(
            "POST", UPLOAD_PATH, data=form, headers=headers, timeout_s=SILENCE_LIMIT_S
        ) as response:
            if response.content_type != "text/event-stream":
                return await self._body(response)  # A file that is only looked at has no job.
            async for event in events_of(response, EventParser()):
                body: JsonObject = json.loads(event.data)
                if event.name == "progress":
                    on_progress(body)
                elif event.name == "result":
                    return body
                elif event.name == "error":
                    raise error_for_problem(int(str(body.get("status", 500))), body)
        raise ServiceUnreachable(
            "The events of an upload broke off.", {"url": shown_url(self.base_url)}
        )

    async def _awaited(self, job_id: str, on_progress: Progress) -> JsonObject:
        backoff = Backoff(random.random)
        while True:
            try:
                job = await self.upload_job(job_id)
                backoff.reset()
            except (ServiceUnreachable, Unavailable, LimitReached):
                await asyncio.sleep(backoff.wait_ns() / 1e9)
                continue
            if isinstance(problem := job.get("error"), dict):
                raise error_for_problem(int(str(problem.get("status", 500))), problem)
            if job["status"] == "failed":
                raise OrchestrationError("The file was not heard.", {"job_id": job_id})
            if isinstance(result := job.get("result"), dict):
                return result
            on_progress(job)
            await asyncio.sleep(JOB_INTERVAL_S)


def _nothing_was_lost(trouble: OrchestrationError) -> bool:
    """Whether the service never had the file: nobody is there, or there is no place for it."""
    unheard = isinstance(trouble.__cause__, aiohttp.ClientConnectorError)
    return unheard or isinstance(trouble, LimitReached)
