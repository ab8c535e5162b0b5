"""What engines behind HTTP have in common, whatever they speak."""

from http import HTTPStatus
from typing import ClassVar

from orchestration.errors import EngineError
from orchestration.json_types import JsonValue
from orchestration.services.http_upstream import HttpUpstream
from orchestration.services.ports import EngineDescription, EngineStatus

MAX_MODELS = 200
"""Of one service; further ones are not listed."""


class HttpEngine:
    """Name, probe and end of an engine that is an `HttpUpstream`."""

    kind: ClassVar[str]
    health_path: ClassVar[str]
    own_health_path: str | None = None
    """A route of this one service that is probed in place of its kind's."""

    def __init__(self, upstream: HttpUpstream) -> None:
        self._upstream = upstream

    @property
    def name(self) -> str:
        """The service's URL without credentials."""
        return self._upstream.name

    async def check(self) -> EngineStatus:
        """GET its health; never raises."""
        try:
            if self.own_health_path is not None:
                path = self.own_health_path.lstrip("/")
                status, latency_ms = await self._upstream.probe(path)
            else:
                status, latency_ms = await self._probe()
        except EngineError as error:
            return EngineStatus(self.name, self.kind, False, 0, error.message)
        healthy = status == HTTPStatus.OK
        detail = "" if healthy else f"answered {status}"
        return EngineStatus(self.name, self.kind, healthy, latency_ms, detail)

    async def describe(self) -> EngineDescription:
        """Its models and what it runs on, as far as it says; never raises."""
        try:
            return await self._description()
        except EngineError as error:
            return EngineDescription(self.name, self.kind, error=error.message)

    async def close(self) -> None:
        """Close its connections."""
        await self._upstream.close()

    async def _probe(self) -> tuple[int, int]:
        """Status and latency in milliseconds."""
        return await self._upstream.probe(self.health_path)

    async def _description(self) -> EngineDescription:
        """Raises EngineError where the service says nothing."""
        status = await self.check()
        return EngineDescription(self.name, self.kind, error=status.detail)


def names_in(value: JsonValue, key: str) -> tuple[str, ...]:
    """Names in a list: strings, or mappings with the name at `key`."""
    if isinstance(value, dict):
        value = list(value)
    found = [
        one.get(key) if isinstance(one, dict) else one
        for one in (value if isinstance(value, list) else [])
    ]
    return tuple(one for one in found if isinstance(one, str) and one)[:MAX_MODELS]


def text_in(value: JsonValue, *keys: str) -> str | None:
    """The first text of a mapping at one of these keys."""
    if not isinstance(value, dict):
        return None
    texts = (value.get(key) for key in keys)
    return next((text[:200] for text in texts if isinstance(text, str) and text), None)
