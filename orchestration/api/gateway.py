"""HTTP: the whisper and translation services themselves, through this one's balancing."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Protocol

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from orchestration.api.gateway_requests import (
    ANSWER_POLICY,
    inner_path,
    inner_query,
    passed_headers,
    returned_headers,
)
from orchestration.errors import BadRequest
from orchestration.services.gateway import GatewayAnswer, GatewayRequest

GATEWAY_SERVICES = ("whisper", "translation")
GATEWAY_METHODS = ["GET", "POST", "PUT", "DELETE"]
GATEWAY_PREFIXES = tuple(f"/api/{name}/" for name in GATEWAY_SERVICES)
MAX_GATEWAY_BODY_BYTES = 100 * 2**20
"""Of a request; a larger one gets 413."""
WHOLE_BODY_BYTES = 2**20
"""A body up to this is taken in whole, and can be sent again; a larger one is passed as it comes,
and once."""


PATH_PARAMETER: dict[str, object] = {
    "parameters": [{"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}]
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
        self._beginning = beginning
        self._rest = rest

    async def stream(self) -> AsyncIterator[bytes]:
        yield self._beginning
        if self._rest is not None:
            async for piece in self._rest:
                yield piece

    @classmethod
    async def of(cls, request: Request) -> "RequestBody":
        beginning = bytearray()
        pieces = request.stream()
        async for piece in pieces:
            beginning += piece
            if len(beginning) > WHOLE_BODY_BYTES:
                return cls(bytes(beginning), pieces)
        return cls(bytes(beginning), None)


def gateway_router(gateway: Gateway) -> APIRouter:
    """`/api/whisper/*` and `/api/translation/*`."""
    router = APIRouter(prefix="/api", tags=["gateway"])

    def add(service: str) -> None:
        async def passed(request: Request) -> Response:
            began_ns = time.perf_counter_ns()
            if request.headers.get("upgrade"):
                raise BadRequest("Connections are not upgraded through the gateway.")
            answer = await gateway.forward(service, await _inner_request(service, request))
            return _passed_answer(service, answer, (time.perf_counter_ns() - began_ns) // 1_000_000)

        for method in GATEWAY_METHODS:
            router.add_api_route(
                f"/{service}/{{path:path}}",
                passed,
                methods=[method],
                summary=f"{method} at a {service} service",
                description=(
                    f"Passed to a {service} service that is due and well, and its answer back."
                ),
                operation_id=f"{method.lower()}_{service}",
                responses={200: {"description": "The service's own answer"}},
                openapi_extra=PATH_PARAMETER,
            )

    for service in GATEWAY_SERVICES:
        add(service)
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
        ("X-Gateway-Timestamp", str(time.time_ns() // 1_000_000)),
    ]
    return GatewayRequest(request.method, path, query, headers, await RequestBody.of(request))


def _passed_answer(service: str, answer: GatewayAnswer, elapsed_ms: int) -> Response:
    async def body() -> AsyncIterator[bytes]:
        try:
            async for piece in answer.body:
                yield piece
                # A service that always has more ready would never let a caller's leaving through.
                await asyncio.sleep(0)
        finally:
            answer.close()

    response = StreamingResponse(body(), status_code=answer.status)
    response.raw_headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in returned_headers(answer.headers)
    ]
    response.headers["X-Gateway-Service"] = service
    response.headers["X-Gateway-Attempt"] = str(answer.attempts)
    response.headers["X-Gateway-Response-Time"] = str(elapsed_ms)
    response.headers["Content-Security-Policy"] = ANSWER_POLICY
    return response
