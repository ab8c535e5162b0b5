"""The first answer of two engines."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from orchestration.errors import EngineError, EngineRefused, UnsupportedLanguagePair

AnswerT = TypeVar("AnswerT")


async def hedged(
    first: Coroutine[Any, Any, AnswerT],
    second: Callable[[], Coroutine[Any, Any, AnswerT] | None],
    delay_s: float,
) -> AnswerT:
    """The answer of `first`, or of `second` if that is begun after `delay_s` and is faster.

    What one of them refuses the other is not asked any longer. If both fail, the error is the
    first failure's. Whoever is not needed any more is cancelled.
    """
    tasks = [asyncio.create_task(first)]
    try:
        await asyncio.wait(tasks, timeout=delay_s)
        if not tasks[0].done() and (other := second()) is not None:
            tasks.append(asyncio.create_task(other))
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not _leaves_hope(task.exception()):
                    return task.result()
        raise _worst([task.exception() for task in tasks])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _leaves_hope(error: BaseException | None) -> bool:
    if isinstance(error, EngineRefused):
        return False
    return isinstance(error, EngineError | UnsupportedLanguagePair)


def _worst(errors: Sequence[BaseException | None]) -> BaseException:
    """The first failure; that an engine lacks a pair of languages is none."""
    found = [error for error in errors if error is not None]
    return next((error for error in found if isinstance(error, EngineError)), found[0])
