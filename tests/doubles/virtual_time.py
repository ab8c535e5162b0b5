"""An event loop whose time jumps to whatever is due next: asyncio as a discrete-event simulator."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

AnswerT = TypeVar("AnswerT")


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for its timeout, but says that it has passed."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Everybody waits for something that will never happen.")
        self.now_s += max(timeout, 0)
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Only for programs that do no I/O."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run_in_virtual_time(program: Coroutine[Any, Any, AnswerT]) -> AnswerT:
    """What the program returns, without a wait."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(program)
