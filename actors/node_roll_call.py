"""The roll call of ingress replicas at their nodes' dispatchers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import ray
import structlog

from actors.names import DISPATCHER_PREFIX, NAMESPACE, ask, dispatcher_name, named_actors
from orchestration.api.roll_call import ANSWER_S, WAIT_S
from orchestration.errors import OrchestrationError, Unavailable

log = structlog.get_logger(__name__)

MARGIN_S = 1.0
"""A dispatcher gets so much longer than the wait itself."""


class NodeRollCall:
    """The RollCallPlace of a process: it waits at its node's dispatcher, and asks at all nodes'."""

    async def wait(self, member: str, seen: int) -> Sequence[tuple[int, Any]]:
        questions: Sequence[tuple[int, Any]] = await _call(
            self._mine(), WAIT_S, "roll_call_wait", member, seen
        )
        return questions

    async def answer(self, member: str, number: int, answer: Any) -> None:
        await _call(self._mine(), ANSWER_S, "roll_call_answer", member, number, answer)

    async def ask(self, question: Any) -> Mapping[str, Any]:
        names = named_actors(DISPATCHER_PREFIX)
        by_node = await asyncio.gather(*(_answers_at(name, question) for name in names))
        return {member: answer for answers in by_node for member, answer in answers.items()}

    def _mine(self) -> str:
        return dispatcher_name(ray.get_runtime_context().get_node_id())


async def _answers_at(name: str, question: Any) -> Mapping[str, Any]:
    try:
        answers: Mapping[str, Any] = await _call(name, ANSWER_S, "roll_call_ask", question)
        return answers
    except OrchestrationError as error:
        log.warning("node_not_asked", dispatcher=name, reason=error.message)
        return {}


async def _call(name: str, timeout_s: float, method: str, *arguments: Any) -> Any:
    try:
        dispatcher: Any = ray.get_actor(name, NAMESPACE)
        async with asyncio.timeout(timeout_s + MARGIN_S):
            return await ask(getattr(dispatcher, method).remote(*arguments), "dispatcher")
    except (ValueError, TimeoutError) as error:
        raise Unavailable("The dispatcher does not answer.") from error
