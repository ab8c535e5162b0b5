"""A connection's line to its session, which outlives restarts of the session's actor."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestration.api.connection import Detached
from orchestration.api.coverage import session_coverage
from orchestration.api.ports import SessionLink, Sessions
from orchestration.errors import Fenced, SessionEnded, Unavailable
from orchestration.session.exchange import Notice, Welcome
from orchestration.session.inputs import StreamSpec
from orchestration.storage.archive_ports import Archive

RETRY_FIRST_S = 0.1
RETRY_MOST_S = 2.0
RETRY_FOR_S = 30.0
"""A session that stays away for longer ends the connection with 1013; the bot comes back."""

Answer = TypeVar("Answer")


class SessionIsOver(Exception):
    """The session has completed: there is nothing to send to, only the farewell to give."""

    def __init__(self, notice: Notice) -> None:
        super().__init__()
        self.notice = notice


class SessionLine:
    """Finds the session, speaks as one connection, and finds it again after a restart.

    Every request may be made again: the session stores each frame and fact once.
    """

    def __init__(
        self, session_id: str, connection_id: str, sessions: Sessions, archive: Archive
    ) -> None:
        self._session_id = session_id
        self._connection_id = connection_id
        self._sessions = sessions
        self._archive = archive
        self._specs: dict[int, StreamSpec] = {}
        self._link: SessionLink | None = None
        self._connecting = asyncio.Lock()
        self.epoch = -1
        self.retries = 0

    async def connect(self, streams: tuple[StreamSpec, ...]) -> Welcome:
        """Become the session's sender.

        Raises:
            SessionIsOver: the session has completed.
            SessionEnded: the session has ended without completing.
        """
        self._specs = {spec.stream: spec for spec in streams}
        return await self._retried(self._reconnect)

    def add_stream(self, spec: StreamSpec) -> None:
        """A stream to announce again should the session's actor restart."""
        self._specs[spec.stream] = spec

    async def call(self, ask: Callable[[SessionLink], Awaitable[Answer]]) -> Answer:
        """Ask the session, again while it restarts, for up to `RETRY_FOR_S`.

        Raises:
            Unavailable: it did not come back in time.
        """

        async def attempt() -> Answer:
            link = self._link
            if link is None:
                async with self._connecting:
                    if self._link is None:
                        await self._reconnect()
                    link = self._link
            assert link is not None
            try:
                return await ask(link)
            except (Unavailable, Fenced):
                # The next incarnation does not know this connection: it has to be told again.
                # Somebody else may have found that out already.
                if self._link is link:
                    self._link = None
                raise

        return await self._retried(attempt)

    def disconnect(self, detached: Detached) -> None:
        """Tell the session, without waiting for it."""
        if self._link is not None:
            detached.start(self._link.disconnect(self._connection_id))

    async def _reconnect(self) -> Welcome:
        link = await self._sessions.link(self._session_id)
        if link is None:
            row = await self._archive.session(self._session_id)
            if row.status != "completed":
                raise SessionEnded(
                    f"Session {self._session_id} has ended: {row.status}.", {"status": row.status}
                )
            coverage = await session_coverage(self._archive, self._session_id)
            raise SessionIsOver(Notice("ended", coverage=coverage))
        answer = await link.connect(self._connection_id, tuple(self._specs.values()))
        if isinstance(answer, Notice):
            raise SessionIsOver(answer)
        self._link = link
        self.epoch = answer.epoch
        return answer

    async def _retried(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        loop = asyncio.get_running_loop()
        give_up_at: float | None = None
        delay_s = RETRY_FIRST_S
        while True:
            try:
                return await attempt()
            except (Unavailable, Fenced):
                # Counted from the first failure: a call may well have waited longer than that.
                give_up_at = give_up_at or loop.time() + RETRY_FOR_S
                if loop.time() + delay_s > give_up_at:
                    raise
            self.retries += 1
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, RETRY_MOST_S)
