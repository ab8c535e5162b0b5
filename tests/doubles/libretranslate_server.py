"""A LibreTranslate that answers as it is told, over real HTTP."""

from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from orchestration.json_types import JsonObject, JsonValue
from tests.doubles.faulty_server import FaultyServer

Translate = Callable[[str, str, str], str]

PAIRS: Mapping[str, Sequence[str]] = {"en": ("pt", "es"), "pt": ("en",), "es": ("en",)}


def marked(text: str, source: str, target: str) -> str:
    """The text itself, after the pair that was asked for."""
    return f"[{source}-{target}] {text}"


class LibreTranslateDouble(FaultyServer):
    """`requests` has the bodies of /translate so far, `languages_asked` counts /languages.

    The modes of `FaultyServer` apply to translations. With `lists_languages` false it has no
    /languages; a pair that it lacks is refused as LibreTranslate does.
    """

    def __init__(
        self, pairs: Mapping[str, Sequence[str]] = PAIRS, translate: Translate = marked
    ) -> None:
        super().__init__()
        self.pairs = dict(pairs)
        self.translate = translate
        self.requests: list[JsonObject] = []
        self.languages_asked = 0
        self.lists_languages = True
        self.app.router.add_post("/translate", self._translate)
        self.app.router.add_get("/languages", self._languages)

    async def _translate(self, request: web.Request) -> web.StreamResponse:
        body: JsonObject = await request.json()
        self.requests.append(body)
        source, target = str(body["source"]), str(body["target"])
        if target not in self.pairs.get(source, ()):
            return web.json_response({"error": f"{target} is not supported"}, status=400)
        text = self.translate(str(body["q"]), source, target)
        return await self.respond(request, {"translatedText": text})

    async def _languages(self, request: web.Request) -> web.Response:
        self.languages_asked += 1
        if not self.lists_languages:
            raise web.HTTPNotFound
        listed: list[JsonValue] = [
            {"code": code, "name": code, "targets": list(targets)}
            for code, targets in self.pairs.items()
        ]
        return web.json_response(listed)
