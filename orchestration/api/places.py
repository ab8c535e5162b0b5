"""Places for what is costly: as many at once as there are, each given back whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from orchestration.errors import LimitReached

SEND_TIMEOUT_S = 60
"""An answer that holds a place is broken off when its caller takes nothing of it for so long."""

_log = structlog.get_logger(__name__)


class Places:
    """`limit` places of one process, named `name` in the refusal of one more."""

    def __init__(self, limit: int, name: str, refusal: str) -> None:
        """`refusal` says what is under way, and when to come back."""
        self._limit = limit
        self._name = name
        self._refusal = refusal
        self.taken = 0

    def take(self) -> None:
        """Take a place; whoever takes one gives it back.

        Raises:
            LimitReached: all are taken.
        """
        if self.taken >= self._limit:
            raise LimitReached(self._refusal, {"limit": self._name, "max": self._limit})
        self.taken += 1

    def give_back(self) -> None:
        self.taken -= 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """A place for as long as the block runs."""
        self.take()
        try:
            yield
        finally:
            self.give_back()


class _NotRead(Exception):
    """The caller takes nothing."""


class HeldResponse(StreamingResponse):
    """A streamed answer with a place that was taken for it: given back when the answer is sent or
    broken off, also before its first piece. A caller that does not read does not keep it."""

    def __init__(
        self,
        places: Places,
        content: AsyncIterator[str | bytes] | Iterator[bytes],
        *,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await send(message)
            except TimeoutError as error:
                raise _NotRead from error

        try:
            await super().__call__(scope, receive, send_in_time)
        except _NotRead:
            _log.info("answer_broken_off", path=scope["path"], reason="its caller does not read")
        finally:
            self._places.give_back()
