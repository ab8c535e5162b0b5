"""Livetranslate's whisper and translation services in one, over real HTTP."""

from aiohttp import BodyPartReader, web

from orchestration.json_types import JsonObject, JsonValue
from tests.doubles.faulty_server import FaultyServer
from tests.doubles.libretranslate_server import PAIRS, marked


class LivetranslateDouble(FaultyServer):
    """`transcriptions` and `translations` have what was asked so far; the modes apply to both.

    `segments` goes into every transcription, as its backend would give them; an `answer` is given
    in place of one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.segments: list[JsonValue] = []
        self.language = "en"
        self.answer: JsonObject | None = None
        self.transcriptions: list[JsonObject] = []
        self.translations: list[JsonObject] = []
        self.app.router.add_post("/transcribe", self._transcribe)
        self.app.router.add_post("/translate", self._translate)
        self.app.router.add_get("/api/models", self._models)
        self.app.router.add_get("/api/device-info", self._device)
        self.app.router.add_get("/health", self._health)
        self.app.router.add_get("/api/health", self._health)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        models = ["whisper-base", "whisper-large"]
        return await self.respond(request, {"available_models": models, "device": "npu"})

    async def _device(self, request: web.Request) -> web.StreamResponse:
        device = {"device": "npu", "device_type": "NPU", "acceleration": "openvino"}
        return await self.respond(request, device)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form: JsonObject = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            assert part.name is not None
            content = await part.read()
            form[part.name] = len(content) if part.name == "audio" else content.decode()
        self.transcriptions.append(form)
        answer: JsonObject = self.answer or {
            "text": "Hello world.",
            "segments": self.segments,
            "language": self.language,
            "confidence": 0.9,
            "processing_time": 0.1,
            "model_used": "whisper-base",
            "device_used": "npu",
            "session_id": form.get("session_id"),
        }
        return await self.respond(request, answer)

    async def _translate(self, request: web.Request) -> web.StreamResponse:
        body: JsonObject = await request.json()
        self.translations.append(body)
        source, target = str(body["source_language"]), str(body["target_language"])
        if target not in PAIRS.get(source, ()):
            return web.json_response({"error": "Unsupported language pair"}, status=400)
        text = marked(str(body["text"]), source, target)
        return await self.respond(request, {"translated_text": text, "backend_used": "local"})

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "healthy"})
