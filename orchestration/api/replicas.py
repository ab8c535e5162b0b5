"""The WebSockets of all ingress replicas, asked of each by a roll call."""

import asyncio
from uuid import uuid4

import structlog

from orchestration.api.connection_answers import (
    ConnectionsQuestion,
    ReplicaConnections,
    replica_connections,
)
from orchestration.api.connections import ConnectionRegistry
from orchestration.api.roll_call import RollCallPlace
from orchestration.errors import OrchestrationError
from orchestration.process_clock import unix_time_ms

RETRY_S = 1.0
"""Between tries to reach the place of the roll call while it is away."""

_log = structlog.get_logger(__name__)


class Replicas:
    """This replica's part in the roll call, and its questions to the others."""

    def __init__(self, place: RollCallPlace, registry: ConnectionRegistry) -> None:
        self._place = place
        self._registry = registry
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
        try:
            answers = dict(await self._place.ask(question))
        except OrchestrationError as error:
            _log.warning("replicas not asked", reason=error.message)
            answers = {}
        answers.pop(self._member, None)
        return [self._mine(question), *answers.values()]

    async def _answer(self) -> None:
        seen = 0
        while True:
            try:
                for number, question in await self._place.wait(self._member, seen):
                    seen = max(seen, number)
                    await self._place.answer(self._member, number, self._mine(question))
            except OrchestrationError:
                await asyncio.sleep(RETRY_S)

    def _mine(self, question: ConnectionsQuestion) -> ReplicaConnections:
        return replica_connections(self._registry, question, unix_time_ms())
