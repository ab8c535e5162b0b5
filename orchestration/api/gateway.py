"""HTTP: the whisper and translation services themselves, through this one's balancing."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Protocol

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.api.gateway_requests import (
    ANSWER_POLICY,
    inner_path,
    inner_query,
    passed_headers,
    returned_headers,
)
from orchestration.errors import BadRequest, BodyTooSlow
from orchestration.process_clock import unix_time_ms
from orchestration.services.gateway import GatewayAnswer, GatewayRequest

GATEWAY_SERVICES = ("whisper", "translation")
GATEWAY_METHODS = ("GET", "POST", "PUT", "DELETE")
GATEWAY_PREFIXES = tuple(f"/api/{name}/" for name in GATEWAY_SERVICES)
MAX_GATEWAY_BODY_BYTES = 100 * 2**20
"""Of a request; a larger one gets 413."""
GATEWAY_BODY_TIMEOUT_S = 300
"""How long a request's body may keep the gateway waiting, in all; then 408. What the service
behind takes to read it does not count."""
WHOLE_BODY_BYTES = 2**20
"""A body up to this is taken in whole, and can be sent again; a larger one is passed as it comes,
and once."""


PATH_PARAMETER: dict[str, object] = {
    "parameters": [{"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}]
}
OWN_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"description": "The service's own answer"},
    "default": {"description": "The service's own answer, of another status"},
}


class Gateway(Protocol):
    """The way to the services behind."""

    async def forward(self, service: str, request: GatewayRequest) -> GatewayAnswer:
        """A service's answer; raises what becomes a 404, 502, 503 or 504."""
        ...

    async def close(self) -> None: ...


class RequestBody:
    """The caller's body: in whole, or its beginning and then the rest."""

    def __init__(self, beginning: bytes, rest: AsyncIterator[bytes] | None) -> None:
        self.whole = beginning if rest is None else None
        self.fault: Exception | None = None
        """Why the rest did not come, where the caller is at fault."""
        self._beginning = beginning
        self._rest = rest

    async def stream(self) -> AsyncIterator[bytes]:
        yield self._beginning
        if self._rest is not None:
            try:
                async for piece in self._rest:
                    yield piece
            except (ClientDisconnect, BodyTooSlow) as fault:
                self.fault = fault
                raise

    @classmethod
    async def of(cls, request: Request) -> "RequestBody":
        beginning = bytearray()
        pieces = request.stream()
        async for piece in pieces:
            beginning += piece
            if len(beginning) > WHOLE_BODY_BYTES:
                return cls(bytes(beginning), pieces)
        return cls(bytes(beginning), None)


class _Arrival:
    """A request's messages, while waiting for them takes no longer than it may."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left_s = float(GATEWAY_BODY_TIMEOUT_S)

    async def __call__(self) -> Message:
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(self._left_s):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow(
                f"The body did not come within {GATEWAY_BODY_TIMEOUT_S} s.",
                {"limit": "gateway_body_timeout_s", "max": GATEWAY_BODY_TIMEOUT_S},
            ) from None
        self._left_s -= time.monotonic() - began_s
        return message


class GatewayFront:
    """Middleware: what is for the services behind goes there, without a look at other routes.

    Finding a route among those of the whole API takes longer than passing a request on.
    """

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in GATEWAY_METHODS:
            for service, prefix in zip(GATEWAY_SERVICES, GATEWAY_PREFIXES, strict=True):
                if scope["path"].startswith(prefix):
                    await self._pass(service, Request(scope, _Arrival(receive)), receive, send)
                    return
        await self._app(scope, receive, send)

    async def _pass(self, service: str, request: Request, receive: Receive, send: Send) -> None:
        began_ns = time.perf_counter_ns()
        try:
            if request.headers.get("upgrade"):
                raise BadRequest("Connections are not upgraded through the gateway.")
            inner = await _inner_request(service, request)
            answer = await self._gateway.forward(service, inner)
        except ClientDisconnect:
            return
        elapsed_ms = (time.perf_counter_ns() - began_ns) // 1_000_000
        headers = _answer_headers(service, answer, elapsed_ms)
        if answer.whole is None:
            response = StreamingResponse(_body(answer), status_code=answer.status)
            response.raw_headers = headers
            try:
                await response(request.scope, receive, send)
            finally:
                # A body that was never begun would not end its request either.
                answer.close()
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.whole})


def gateway_router() -> APIRouter:
    """`/api/whisper/*` and `/api/translation/*` as the reference shows them; `GatewayFront`
    answers before a route is looked for."""
    router = APIRouter(prefix="/api", tags=["gateway"])

    async def passed_before() -> Response:
        raise BadRequest("The path has to be written plainly.", {"reason": "path"})

    for service in GATEWAY_SERVICES:
        for method in GATEWAY_METHODS:
            router.add_api_route(
                f"/{service}/{{path:path}}",
                passed_before,
                methods=[method],
                summary=f"{method} at a {service} service",
                description=(
                    f"Passed to a {service} service that is due and well, and its answer back."
                ),
                operation_id=f"{method.lower()}_{service}",
                response_class=Response,
                responses=OWN_ANSWERS,
                openapi_extra=PATH_PARAMETER,
            )
    return router


async def _inner_request(service: str, request: Request) -> GatewayRequest:
    # The decoded path has lost what tells `..` from `%2e%2e`, so it is the encoded one that counts.
    raw_path: bytes = request.scope["raw_path"].partition(b"?")[0]
    prefix = f"/api/{service}/".encode()
    if not raw_path.startswith(prefix):
        raise BadRequest("The path has to be written plainly.", {"reason": "path"})
    path = inner_path(raw_path.removeprefix(prefix))
    query = inner_query(request.scope["query_string"])
    client = request.client.host if request.client else ""
    headers = [
        *passed_headers((name, value) for name, value in request.headers.items()),
        ("X-Forwarded-For", client),
        ("X-Forwarded-Proto", request.url.scheme),
        ("X-Gateway-Timestamp", str(unix_time_ms())),
    ]
    return GatewayRequest(request.method, path, query, headers, await RequestBody.of(request))


def _answer_headers(
    service: str, answer: GatewayAnswer, elapsed_ms: int
) -> list[tuple[bytes, bytes]]:
    own = (
        ("x-gateway-service", service),
        ("x-gateway-attempt", str(answer.attempts)),
        ("x-gateway-response-time", str(elapsed_ms)),
        ("content-security-policy", ANSWER_POLICY),
    )
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in (*returned_headers(answer.headers), *own)
    ]


async def _body(answer: GatewayAnswer) -> AsyncIterator[bytes]:
    async for piece in answer.body:
        yield piece
        # A service that always has more ready would never let a caller's leaving through.
        await asyncio.sleep(0)
