"""What all groups of the client's methods are made of."""

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

from orchestration.errors import JsonObject


class Calls(ABC):
    """One request with a JSON answer, which the client makes."""

    @abstractmethod
    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: JsonObject | None = None,
        accept: tuple[int, ...] = (),
    ) -> JsonObject: ...


def session_path(session_id: str, rest: str = "") -> str:
    """The path of a session, or of something of it."""
    return f"/api/sessions/{quote(session_id, safe='')}{rest}"
