"""What all ingress replicas say of their WebSockets and uploads, asked by a roll call."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog

from orchestration.api.connection_answers import (
    ConnectionsQuestion,
    JobQuestion,
    ReplicaConnections,
    replica_connections,
)
from orchestration.api.connections import ConnectionRegistry
from orchestration.api.roll_call import RollCallPlace
from orchestration.errors import OrchestrationError
from orchestration.json_types import JsonObject
from orchestration.process_clock import unix_time_ms

RETRY_S = 1.0
"""Between tries to reach the place of the roll call while it is away."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """What the other replicas say of an upload: the `job` of the one that has it, and how many
    `answered`, this one included."""

    job: JsonObject | None
    answered: int


class Replicas:
    """This replica's part in the roll call, and its questions to the others."""

    def __init__(
        self,
        place: RollCallPlace,
        registry: ConnectionRegistry,
        job_here: Callable[[str], JsonObject | None],
    ) -> None:
        """`job_here` is how an upload of this replica is doing, None of one that is not here."""
        self._place = place
        self._registry = registry
        self._job_here = job_here
        self._member = uuid4().hex
        self._answering: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer. Wants a running event loop."""
        self._answering = asyncio.create_task(self._answer())

    async def close(self) -> None:
        """Answer no more."""
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)

    async def connections(self, question: ConnectionsQuestion) -> list[ReplicaConnections]:
        """What every replica says, this one always and first; those that do not answer are
        missing."""
        answers = await self._others(question)
        return [self._connections(question), *answers.values()]

    async def job(self, job_id: str) -> JobAnswer:
        """Who has an upload that is not here."""
        answers = await self._others(JobQuestion(job_id))
        found = next((one for one in answers.values() if one is not None), None)
        return JobAnswer(found, 1 + len(answers))

    async def _others(self, question: object) -> Mapping[str, Any]:
        try:
            answers = dict(await self._place.ask(question))
        except OrchestrationError as error:
            _log.warning("replicas_not_asked", reason=error.message)
            return {}
        answers.pop(self._member, None)
        return answers

    async def _answer(self) -> None:
        seen = 0
        while True:
            try:
                for number, question in await self._place.wait(self._member, seen):
                    seen = max(seen, number)
                    await self._place.answer(self._member, number, self._mine(question))
            except OrchestrationError:
                await asyncio.sleep(RETRY_S)

    def _mine(self, question: object) -> object:
        if isinstance(question, JobQuestion):
            return self._job_here(question.job_id)
        assert isinstance(question, ConnectionsQuestion)
        return self._connections(question)

    def _connections(self, question: ConnectionsQuestion) -> ReplicaConnections:
        return replica_connections(self._registry, question, unix_time_ms())
