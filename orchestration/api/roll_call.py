"""Asking all processes of a kind at once, where only they can reach the one who asks.

Ingress replicas are behind one address, so that none can be asked by itself. Each waits at a place
that all of them reach, hears what is asked there, and leaves its answer. Nothing is stored, and
while nobody asks there is one call in `WAIT_S` of each. Light: dispatchers hold one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestration.errors import LimitReached
from orchestration.process_clock import unix_time_ms

WAIT_S = 10.0
"""How long one call of a member waits for a question."""
ANSWER_S = 2.0
"""A member that has not answered by then is left out, until it waits again."""
MEMBER_LASTS_MS = 30_000
"""One that has not been here for so long is gone."""
MAX_QUESTIONS = 100
"""Questions that are open at once; one more is refused."""


class RollCallPlace(Protocol):
    """Where members wait and leave answers. Raises Unavailable while it is away."""

    async def wait(self, member: str, seen: int) -> Sequence[tuple[int, Any]]:
        """Questions with a number above `seen`, as soon as there are any; none after `WAIT_S`."""
        ...

    async def answer(self, member: str, number: int, answer: Any) -> None:
        """Leave an answer to a question; one that came too late is forgotten."""
        ...

    async def ask(self, question: Any) -> Mapping[str, Any]:
        """The answers of all members, by member, within `ANSWER_S`.

        Raises:
            LimitReached: too many questions are open.
        """
        ...


@dataclass(slots=True)
class _Question:
    question: Any
    silent: set[str]
    answers: dict[str, Any] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class RollCall:
    """The place itself, in one process."""

    def __init__(self) -> None:
        # Above every number of a place that was here before, so that members need not know of it.
        self._number = unix_time_ms()
        self._open: dict[int, _Question] = {}
        self._seen_ms: dict[str, int] = {}
        self._asked = asyncio.Event()

    async def wait(self, member: str, seen: int) -> Sequence[tuple[int, Any]]:
        self._seen_ms[member] = unix_time_ms()
        asked = self._asked
        if not self._unseen(seen):
            try:
                async with asyncio.timeout(WAIT_S):
                    await asked.wait()
            except TimeoutError:
                return ()
        return self._unseen(seen)

    async def answer(self, member: str, number: int, answer: Any) -> None:
        question = self._open.get(number)
        if question is None:
            return
        question.answers[member] = answer
        question.silent.discard(member)
        if not question.silent:
            question.complete.set()

    async def ask(self, question: Any) -> Mapping[str, Any]:
        if len(self._open) >= MAX_QUESTIONS:
            raise LimitReached(
                f"{MAX_QUESTIONS} such questions are open, as many as may be.",
                {"limit": "max_questions", "max": MAX_QUESTIONS},
            )
        oldest_ms = unix_time_ms() - MEMBER_LASTS_MS
        self._seen_ms = {name: at for name, at in self._seen_ms.items() if at >= oldest_ms}
        if not self._seen_ms:
            return {}
        self._number += 1
        number = self._number
        asked = self._open[number] = _Question(question, set(self._seen_ms))
        self._asked.set()
        self._asked = asyncio.Event()
        try:
            async with asyncio.timeout(ANSWER_S):
                await asked.complete.wait()
        except TimeoutError:
            for member in asked.silent:
                self._seen_ms.pop(member, None)
        finally:
            del self._open[number]
        return asked.answers

    def _unseen(self, seen: int) -> Sequence[tuple[int, Any]]:
        return [(number, one.question) for number, one in self._open.items() if number > seen]
