"""One client of Socket.IO: what it says, and what it is told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.websockets import WebSocketDisconnect

from orchestration.api.connection import first_of
from orchestration.api.connections import Connection
from orchestration.api.health import HealthCache
from orchestration.api.live import Viewing, parse_after
from orchestration.api.live_hub import LiveHub
from orchestration.api.server_messages import encode_message
from orchestration.api.session_ids import check_session_id
from orchestration.api.socket_io_audio import SocketIoSender
from orchestration.api.socket_io_requests import answer_of, status_of
from orchestration.config.current import CurrentSettings
from orchestration.errors import BadRequest, LimitReached, OrchestrationError
from orchestration.json_types import JsonObject, JsonValue
from orchestration.process_clock import unix_time_ms
from orchestration.services.ports import TranslationRequest
from orchestration.session.engine_calls import Engines
from orchestration.session.events import iso_utc
from orchestration.session.status import TERMINAL
from orchestration.storage.archive_ports import Archive

MAX_REQUESTS_AT_ONCE = 4
"""Requests of one client to the engines under way; one more is refused."""
MAX_TEXT_CHARACTERS = 5000
"""Of a text to translate."""
STATUS_INTERVAL_S = 2.0
"""How often the services that a client subscribed to are looked at."""

SendEvent = Callable[[str, str], Awaitable[None]]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketIoServices:
    """What clients are served from."""

    current: CurrentSettings
    hub: LiveHub
    archive: Archive
    engines: Engines
    health: HealthCache
    sender: SocketIoSender


class SocketIoClient:
    """Answers each event by another, and by its acknowledgement if the client asked for one."""

    def __init__(
        self,
        sid: str,
        scope: Any,
        answer: SendEvent,
        tell: SendEvent,
        cut: Callable[[OrchestrationError], None],
        services: SocketIoServices,
    ) -> None:
        self._sid = sid
        self._scheme = scope["scheme"]
        self._host = Headers(scope=scope).get("host", "localhost")
        self._connection: Connection = scope["orchestration.connection"]
        self._send_answer = answer
        self._send_live = tell
        self._cut = cut
        self._services = services
        self._watching: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._followed: dict[str, str] = {}
        self._following: asyncio.Task[None] | None = None

    async def greet(self) -> None:
        """The first event."""
        await self._tell(
            "connected", {"session_id": self._sid, "status": "connected", "server_time": _now()}
        )

    def close(self) -> None:
        """The client is gone."""
        self._leave()
        if self._following is not None:
            self._following.cancel()
        for task in self._requests:
            task.cancel()

    async def on_event(self, event: str, arguments: Sequence[Any]) -> JsonObject:
        """Answer one event; returns its acknowledgement."""
        try:
            body = arguments[0] if arguments else {}
            if not isinstance(body, dict):
                raise BadRequest(f"{event[:40]} takes an object.")
            return await self._answer(event, body)
        except OrchestrationError as error:
            return await self._refuse(error)
        except Exception:
            _log.exception("socket_io_event_failed")
            return await self._refuse(OrchestrationError("Something unexpected went wrong."))

    async def _answer(self, event: str, body: JsonObject) -> JsonObject:
        if event == "subscribe":
            return await self._subscribe(body)
        if event == "translation_stream":
            return await self._translate(body)
        if event == "transcription_stream":
            stored = await self._services.sender.audio(body, self._session_id)
            return await self._received("transcription_received", stored)
        if event == "speaker_stream":
            stored = await self._services.sender.speaker(body, self._session_id)
            return await self._received("speaker_received", stored)
        if event == "service_message":
            kind = body.get("type")
            if kind == "heartbeat":
                answer: JsonObject = {"server_time": _now(), "status": "ok"}
                await self._tell("heartbeat_response", answer)
                return answer
            if kind == "join_session":
                return await self._join(body)
            if kind == "leave_session":
                return await self._left()
            if kind == "service_request":
                return await self._request(body)
        raise BadRequest("No such event or type is known here.", {"event": event[:40]})

    # Services

    async def _subscribe(self, body: JsonObject) -> JsonObject:
        service = _text(body, "service", 64)
        status = await status_of(service, self._services.health)
        answer: JsonObject = {"service": service, "status": status}
        await self._tell("subscribed", answer)
        self._followed[service] = status
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        return answer

    async def _follow(self) -> None:
        """Tell each change of the services that are subscribed to, until the client is gone."""
        while True:
            await asyncio.sleep(STATUS_INTERVAL_S)
            report = await self._services.health.report()
            now = {one.name: one.status for one in report.services}
            for service, status in list(self._followed.items()):
                if now.get(service, "unknown") != status:
                    self._followed[service] = now.get(service, "unknown")
                    body: JsonObject = {"service": service, "status": self._followed[service]}
                    await self._tell("service_status", {**body, "timestamp": _now()})

    async def _request(self, body: JsonObject) -> JsonObject:
        service, action = _text(body, "target_service", 64), _text(body, "action", 64)
        data = await answer_of(service, action, self._services.health)
        answer: JsonObject = {
            "source_service": service,
            "response_to": action,
            "status": "ok",
            "data": data,
            "timestamp": _now(),
        }
        await self._tell("service_response", answer)
        return answer

    async def _translate(self, body: JsonObject) -> JsonObject:
        text = _text(body, "text", MAX_TEXT_CHARACTERS)
        target = _text(body, "target_lang", 16)
        source = _text(body, "source_lang", 16) if "source_lang" in body else "en"
        if len(self._requests) >= MAX_REQUESTS_AT_ONCE:
            raise LimitReached(
                f"{MAX_REQUESTS_AT_ONCE} of your requests are under way, as many as may be.",
                {"limit": "max_requests_at_once", "max": MAX_REQUESTS_AT_ONCE},
            )
        request = TranslationRequest(f"socket-{self._sid}", "0", text, source, target)
        task = asyncio.create_task(self._translated(request))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        answer: JsonObject = {
            "session_id": self._session_id,
            "timestamp": _now(),
            "status": "received",
        }
        await self._tell("translation_received", answer)
        return answer

    async def _translated(self, request: TranslationRequest) -> None:
        try:
            text = await self._services.engines.translate(request)
        except OrchestrationError as error:
            await self._refuse(error)
            return
        await self._tell(
            "translation_result",
            {
                "translated_text": text,
                "source_language": request.source,
                "target_language": request.target,
                "timestamp": _now(),
            },
        )

    # Sessions

    @property
    def _session_id(self) -> str | None:
        """The one that was joined; the registry of connections has it."""
        return self._connection.session_id

    async def _received(self, name: str, stored: JsonObject) -> JsonObject:
        answer = stored | {"timestamp": _now()}
        await self._tell(name, answer)
        return answer

    async def _join(self, body: JsonObject) -> JsonObject:
        session_id = check_session_id(_text(body, "session_id", 64))
        after = parse_after(str(body["after"])) if "after" in body else None
        await self._services.archive.session(session_id)
        self._leave()
        self._connection.session_id = session_id
        answer: JsonObject = {"status": "joined", "session_id": session_id}
        await self._tell("session_joined", answer)
        self._watching = asyncio.create_task(self._watch(session_id, after))
        return answer

    async def _left(self) -> JsonObject:
        answer: JsonObject = {"status": "left", "session_id": self._session_id}
        self._leave()
        await self._tell("session_left", answer)
        return answer

    def _leave(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        self._watching, self._connection.session_id = None, None

    async def _watch(self, session_id: str, after: int | None) -> None:
        """Everything that a viewer of the native protocol is told, as events named by type."""
        viewing = Viewing(
            session_id,
            after,
            self._services.archive,
            self._services.current.now.live,
            self._tell_text,
            (self._scheme, self._host),
        )
        try:
            row = await self._services.archive.session(session_id)
            if row.status in TERMINAL:
                await viewing.begin()
                return
            with self._services.hub.watch(session_id) as (feed, queue):
                await feed.ready()
                await viewing.begin()
                await first_of(viewing.forward(queue), queue.overflow())
        except OrchestrationError as error:
            self._cut(error)
        except WebSocketDisconnect:
            return  # It is gone, or cut off already.
        except Exception:
            _log.exception("socket_io_viewer_failed", session_id=session_id)
            self._cut(OrchestrationError("Something unexpected went wrong."))

    # To the client

    async def _refuse(self, error: OrchestrationError) -> JsonObject:
        body: JsonObject = error.facts | {
            "status": "error",
            "code": error.code,
            "message": error.message,
        }
        await self._tell("error", body)
        return body

    async def _tell(self, name: str, body: JsonObject) -> None:
        await self._send_answer(name, encode_message(body))

    async def _tell_text(self, text: str) -> None:
        # Every live message begins with its type: encoded once, it serves all viewers.
        await self._send_live(text[len('{"type":"') : text.index('"', len('{"type":"'))], text)


def _text(body: JsonObject, field: str, max_characters: int) -> str:
    value: JsonValue = body.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= max_characters:
        raise BadRequest(
            f"{field} must be a text of 1 to {max_characters} characters.", {"field": field}
        )
    return value


def _now() -> str:
    return iso_utc(unix_time_ms())
