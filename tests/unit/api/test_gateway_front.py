import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from orchestration.api.gateway import GatewayFront
from orchestration.services.gateway import GatewayAnswer, GatewayRequest

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "scheme": "http",
    "path": "/api/whisper/models",
    "raw_path": b"/api/whisper/models",
    "query_string": b"",
    "headers": [],
    "asgi": {"spec_version": "2.3"},
}


class EndlessService:
    """Answers with a body that never ends; `closed` once the answer is given up."""

    closed = False

    async def forward(self, service: str, request: GatewayRequest) -> GatewayAnswer:
        return GatewayAnswer(200, [], self._body(), 1, self._close)

    async def close(self) -> None: ...

    async def _body(self) -> AsyncIterator[bytes]:
        while True:
            yield b"more"

    def _close(self) -> None:
        self.closed = True


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError


async def test_an_answer_whose_caller_left_before_its_body_began_is_given_up() -> None:
    behind = EndlessService()
    messages = iter(
        ({"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"})
    )

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        await asyncio.Event().wait()

    await GatewayFront(nowhere, behind)(SCOPE, receive, send)
    assert behind.closed
