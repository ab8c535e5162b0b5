"""Translation services that speak livetranslate's HTTP API: `POST /translate`."""

import re
from http import HTTPStatus

import aiohttp

from orchestration.errors import EngineError, JsonObject, UnsupportedLanguagePair
from orchestration.services.http_upstream import HttpUpstream
from orchestration.services.languages import normalise_language
from orchestration.services.plain_text import plain_text
from orchestration.services.ports import EngineStatus, TranslationRequest

_NOT_A_PAIR = re.compile(r"unsupported|not (supported|available)", re.IGNORECASE)


class LivetranslateTranslation:
    """A TranslationEngine over HTTP; which pairs the service has shows when it refuses one.

    Raises ConfigurationError when made with a URL that is not http or https.
    """

    kind = "livetranslate"

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._upstream = HttpUpstream(
            base_url, bearer=api_key, timeout_s=timeout_s, session=session
        )

    @property
    def name(self) -> str:
        """The service's URL without credentials."""
        return self._upstream.name

    async def translate(self, request: TranslationRequest) -> str:
        """The text in the target language; raises as the port says."""
        source, target = normalise_language(request.source), normalise_language(request.target)
        if source == target or not request.text.strip():
            return request.text
        body: JsonObject = {
            "text": request.text,
            "source_language": source,
            "target_language": target,
            "session_id": request.session_id,
        }
        try:
            answer = await self._upstream.post("translate", body=body)
        except EngineError as error:
            excerpt = str(error.facts.get("excerpt", ""))
            if error.facts.get("status") == HTTPStatus.BAD_REQUEST and _NOT_A_PAIR.search(excerpt):
                raise UnsupportedLanguagePair(
                    f"{self.name} cannot translate from {source} to {target}.",
                    {"source": source, "target": target},
                ) from error
            raise
        text = answer.get("translated_text") if isinstance(answer, dict) else None
        if not isinstance(text, str):
            raise EngineError(
                f"{self.name} did not answer with a translation.",
                {"url": f"{self.name}/translate", "excerpt": str(answer)[:200]},
            )
        return plain_text(text).strip()

    async def check(self) -> EngineStatus:
        """GET /api/health; never raises."""
        try:
            status, latency_ms = await self._upstream.probe("api/health")
        except EngineError as error:
            return EngineStatus(self.name, self.kind, False, 0, error.message)
        healthy = status == HTTPStatus.OK
        return EngineStatus(
            self.name, self.kind, healthy, latency_ms, "" if healthy else f"answered {status}"
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._upstream.close()
