"""Translation services that speak livetranslate's HTTP API: `POST /translate`."""

import re
from http import HTTPStatus

from orchestration.errors import EngineError, UnsupportedLanguagePair
from orchestration.json_types import JsonObject
from orchestration.services.languages import normalise_language
from orchestration.services.livetranslate import LivetranslateEngine
from orchestration.services.ports import TranslationRequest
from orchestration.services.translated_text import translated_text

_NOT_A_PAIR = re.compile(r"unsupported|not (supported|available)", re.IGNORECASE)


class LivetranslateTranslation(LivetranslateEngine):
    """A TranslationEngine over HTTP; which pairs the service has shows when it refuses one.

    Raises ConfigurationError when made with a URL that is not http or https.
    """

    health_path = "api/health"

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
        return translated_text(answer, "translated_text", self.name)
