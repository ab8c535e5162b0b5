"""What every WebSocket of the service needs around its conversation."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestration.api.problems import problem_for
from orchestration.errors import LimitReached, OrchestrationError

CLOSE_DONE = 1000
CLOSE_INTERNAL_ERROR = 1011
CLOSE_TIMEOUT_S = 20
"""How long a close may wait behind what the peer has not read; then the connection is cut."""
DETACHED_TIMEOUT_S = 5
"""How long a stopping process waits for farewells under way."""
MAX_CLOSE_REASON_BYTES = 123
"""RFC 6455, 5.5: a control frame has at most 125 bytes, two of them the code."""

Work = Coroutine[Any, Any, None]


async def first_of(*works: Work) -> None:
    """Run all until the first ends, cancel the others, and end as the first did."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


class Detached:
    """Work that outlives the connection that began it.

    Behind Serve's direct ingress a handler is cancelled when its client goes away, so that its own
    cleanup could not await anything.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Work) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Looked at, so that asyncio does not report it once more.

    async def finish(self) -> None:
        """Let everything end, within `DETACHED_TIMEOUT_S`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DETACHED_TIMEOUT_S)


class IdleWatch:
    """Ends a connection on which nothing has gone either way for too long."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.touch()

    def touch(self) -> None:
        self._active_at = asyncio.get_running_loop().time()

    async def watch(self) -> None:
        """Raises LimitReached once the connection was idle for the whole timeout."""
        loop = asyncio.get_running_loop()
        while True:
            left_s = self._active_at + self._timeout_s - loop.time()
            if left_s <= 0:
                raise LimitReached(
                    f"Nothing was said for {self._timeout_s:g} s.",
                    {"limit": "websocket_idle_timeout_s", "max": self._timeout_s},
                )
            await asyncio.sleep(left_s)


async def deny(websocket: WebSocket, error: OrchestrationError) -> None:
    """Answer a handshake with a problem body instead of an upgrade."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(problem_for(error))
    else:
        await websocket.close(error.close_code)


async def close(websocket: WebSocket, code: int, reason: str = "") -> None:
    """Close, without waiting for ever for a peer that does not read."""
    short = reason.encode()[:MAX_CLOSE_REASON_BYTES].decode(errors="ignore")
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await websocket.close(code, short)
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        return  # It is gone already, or as good as gone.
