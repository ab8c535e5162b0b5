"""Translation services that speak LibreTranslate's HTTP API."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic

import aiohttp

from orchestration.errors import EngineError, UnsupportedLanguagePair
from orchestration.json_types import JsonValue
from orchestration.services.http_engine import HttpEngine
from orchestration.services.http_upstream import HttpUpstream
from orchestration.services.languages import normalise_language
from orchestration.services.ports import TranslationRequest
from orchestration.services.translated_text import translated_text

PAIRS_LIFETIME_S = 300.0
"""How long the upstream's list of languages is believed."""

_NOT_A_PAIR = re.compile(r"not (supported|available)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Source:
    """A source language by the upstream's own code, and its targets' codes by ISO 639-1."""

    code: str
    targets: dict[str, str]


class LibreTranslate(HttpEngine):
    """A TranslationEngine over HTTP. `clock` counts seconds, monotonically.

    Raises ConfigurationError when made with a URL that is not http or https.
    """

    kind = "libretranslate"
    health_path = "languages"

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        session: aiohttp.ClientSession | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        # Its key goes in the body, so that a proxy before it can have its own credentials.
        secrets = (api_key,) if api_key else ()
        super().__init__(
            HttpUpstream(base_url, timeout_s=timeout_s, session=session, secrets=secrets)
        )
        self._api_key = api_key
        self._clock = clock
        self._sources: dict[str, _Source] | None = None
        self._sources_expire_s = float("-inf")

    async def translate(self, request: TranslationRequest) -> str:
        """The text in the target language; raises as the port says."""
        source, target = normalise_language(request.source), normalise_language(request.target)
        if source == target or not request.text.strip():
            return request.text
        source_code, target_code = await self._codes(source, target)
        body: dict[str, JsonValue] = {
            "q": request.text,
            "source": source_code,
            "target": target_code,
            "format": "text",
        }
        if self._api_key:
            body["api_key"] = self._api_key
        try:
            answer = await self._upstream.post("translate", body=body)
        except EngineError as error:
            excerpt = str(error.facts.get("excerpt", ""))
            if error.facts.get("status") == HTTPStatus.BAD_REQUEST and _NOT_A_PAIR.search(excerpt):
                self._sources_expire_s = float("-inf")
                raise self._unsupported(source, target) from error
            raise
        return translated_text(answer, "translatedText", self._upstream.name)

    async def _codes(self, source: str, target: str) -> tuple[str, str]:
        """The upstream's codes of a pair that it has."""
        # Requests that find the list old at once each fetch it: behind a lock, one fetch that hangs
        # would hold up all of them, one after the other.
        if self._clock() >= self._sources_expire_s:
            self._sources = await self._fetch_sources()
            self._sources_expire_s = self._clock() + PAIRS_LIFETIME_S
        if self._sources is None:
            return source, target
        known = self._sources.get(source)
        if known is None or target not in known.targets:
            raise self._unsupported(source, target)
        return known.code, known.targets[target]

    async def _fetch_sources(self) -> dict[str, _Source] | None:
        """The upstream's pairs; None where it speaks /translate alone."""
        try:
            answer = await self._upstream.get("languages")
        except EngineError as error:
            if error.facts.get("status") == HTTPStatus.NOT_FOUND:
                return None
            raise
        entries = answer if isinstance(answer, list) else None
        listed = [
            (code, entry.get("targets"))
            for entry in entries or ()
            if isinstance(entry, dict) and isinstance(code := entry.get("code"), str)
        ]
        if not listed:
            raise EngineError(
                f"{self._upstream.name} did not answer with its languages.",
                {"url": f"{self._upstream.name}/languages", "excerpt": str(answer)[:200]},
            )
        everything = [code for code, _ in listed]
        sources: dict[str, _Source] = {}
        for code, targets in listed:
            # Releases before 1.3 have no targets: each language goes to every other.
            names = targets if isinstance(targets, list) else everything
            source = _Source(code, _by_language([name for name in names if isinstance(name, str)]))
            if code == normalise_language(code):
                sources[code] = source
            else:
                sources.setdefault(normalise_language(code), source)
        return sources

    def _unsupported(self, source: str, target: str) -> UnsupportedLanguagePair:
        return UnsupportedLanguagePair(
            f"{self._upstream.name} cannot translate from {source} to {target}.",
            {"source": source, "target": target},
        )


def _by_language(codes: list[str]) -> dict[str, str]:
    """The upstream's codes by ISO 639-1; a plain code goes before its regional relatives."""
    found: dict[str, str] = {}
    for code in codes:
        language = normalise_language(code)
        if code == language:
            found[language] = code
        else:
            found.setdefault(language, code)
    return found
