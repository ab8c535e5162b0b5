"""The client's method for the services behind, through the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestration.client.problems import error_for_problem
from orchestration.client.transport import ANSWERED_BY, LONG_ANSWER_TIMEOUT_S, Transport
from orchestration.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a service behind answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class GatewayCalls(Transport):
    """Requests to whisper and translation services themselves."""

    async def ask_service(
        self,
        service: Literal["whisper", "translation"],
        path: str,
        *,
        method: Literal["GET", "POST", "PUT", "DELETE"] = "GET",
        query: dict[str, Any] | None = None,
        body: JsonObject | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ServiceAnswer:
        """The answer of one of the services of a pool; `path` is encoded, without a slash before.

        Raises:
            UnknownService: nothing is behind the gateway.
            Unavailable, EngineError: none of them answers; the facts have `attempts`.
        """
        async with self._request(
            method,
            f"/api/{service}/{path}",
            query=query,
            body=body,
            data=data,
            headers=headers,
            timeout_s=LONG_ANSWER_TIMEOUT_S,
            accept=tuple(range(400, 600)),
        ) as response:
            if response.status >= 400 and ANSWERED_BY not in response.headers:
                raise error_for_problem(response.status, await self._body(response))
            return ServiceAnswer(response.status, response.headers.copy(), await response.read())
