"""What whisper and translation services of kind livetranslate have in common."""

import aiohttp

from orchestration.errors import EngineError
from orchestration.services.http_engine import HttpEngine, names_in, text_in
from orchestration.services.http_upstream import HttpUpstream
from orchestration.services.ports import EngineDescription


class LivetranslateEngine(HttpEngine):
    """Raises ConfigurationError when made with a URL that is not http or https."""

    kind = "livetranslate"
    lists_models = False

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        super().__init__(
            HttpUpstream(base_url, bearer=api_key, timeout_s=timeout_s, session=session)
        )

    async def _description(self) -> EngineDescription:
        """GET /api/models and /api/device-info."""
        models: tuple[str, ...] = ()
        if self.lists_models:
            answer = await self._upstream.get("api/models")
            listed = answer if isinstance(answer, dict) else {}
            models = names_in(listed.get("available_models") or listed.get("models"), "name")
        try:
            device = await self._upstream.get("api/device-info")
        except EngineError as error:
            return EngineDescription(self.name, self.kind, models, error=error.message)
        return EngineDescription(
            self.name,
            self.kind,
            models,
            device=text_in(device, "device"),
            device_type=text_in(device, "device_type", "device"),
            acceleration=text_in(device, "acceleration"),
        )
