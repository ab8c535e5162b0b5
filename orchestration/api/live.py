"""The live WebSocket: a viewer's connection."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestration.api import wire
from orchestration.api.connection import (
    CLOSE_DONE,
    CLOSE_INTERNAL_ERROR,
    IdleWatch,
    close,
    deny,
    first_of,
)
from orchestration.api.live_hub import (
    REPLAY_PAGE_EVENTS,
    LiveHub,
    ViewerQueue,
    durable_outgoing,
)
from orchestration.api.server_messages import (
    encode_message,
    pong_message,
    unknown_type_message,
)
from orchestration.api.session_ids import check_session_id
from orchestration.api.sessions import session_json
from orchestration.config.current import CurrentSettings
from orchestration.config.models import LiveSettings, Settings
from orchestration.errors import BadRequest, OrchestrationError
from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.events import segment_json
from orchestration.session.fields import MAX_INTEGER
from orchestration.session.status import TERMINAL
from orchestration.storage.archive_ports import Archive, Snapshot

_log = structlog.get_logger(__name__)


def parse_after(raw: str | None) -> int | None:
    """The last durable event that the viewer has, or None for a viewer that has none.

    Raises:
        BadRequest: not a number of an event.
    """
    if raw is None:
        return None
    if not raw.isascii() or not raw.isdigit() or len(raw) > 19 or int(raw) > MAX_INTEGER:
        raise BadRequest("after must be the seq of an event.", {"field": "after"})
    return int(raw)


def snapshot_message(snapshot: Snapshot, session: JsonObject) -> JsonObject:
    """The first message of a viewer that starts anew."""
    zero_unix_ms = snapshot.session.zero_unix_ms or 0
    segments: list[JsonValue] = [
        segment_json(one.segment, "final", zero_unix_ms, one.translations)
        for one in snapshot.segments
    ]
    return {
        "type": "snapshot",
        "seq": snapshot.seq,
        "session": session,
        "segments": segments,
        "truncated": snapshot.truncated,
    }


class Viewing:
    """A viewer of one session, over whatever carries its messages."""

    def __init__(
        self,
        session_id: str,
        after: int | None,
        archive: Archive,
        limits: LiveSettings,
        send: Callable[[str], Awaitable[None]],
        asked_by: tuple[str, str],
    ) -> None:
        """`asked_by` are the scheme and the host by which the viewer came."""
        self._session_id = session_id
        self._after = after
        self._archive = archive
        self._limits = limits
        self._send = send
        self._asked_by = asked_by
        self.seq = 0

    async def begin(self) -> None:
        """Bring the viewer to where the archive stands; `seq` is that afterwards."""
        limits = self._limits
        after = self._after
        if after is not None:
            here = await self._archive.snapshot(self._session_id, 1)
            if 0 <= here.seq - after <= limits.replay_events:
                await self._replay(after, here.seq)
                return
        snapshot = await self._archive.snapshot(self._session_id, limits.snapshot_segments)
        session = session_json(snapshot.session, *self._asked_by)
        self.seq = snapshot.seq
        # A thousand segments with their words take a while to encode.
        text = await asyncio.to_thread(lambda: encode_message(snapshot_message(snapshot, session)))
        await self._send(text)

    async def _replay(self, after: int, to_seq: int) -> None:
        await self._send(encode_message({"type": "resumed", "after": after, "seq": to_seq}))
        self.seq = after
        while self.seq < to_seq:
            limit = min(REPLAY_PAGE_EVENTS, to_seq - self.seq)
            page = await self._archive.events(self._session_id, self.seq, limit)
            if not page:
                return
            for event in page:
                self.seq = event.seq
                await self._send(durable_outgoing(event).text)

    async def forward(self, queue: ViewerQueue) -> None:
        """Every event after that, up to the last."""
        while (event := await queue.take()) is not None:
            if event.seq is not None:
                if event.seq <= self.seq:
                    continue
                self.seq = event.seq
            await self._send(event.text)
            if event.is_last:
                return


class LiveConnection:
    """One viewer: where it stands, then every durable event in turn, then the end."""

    def __init__(
        self,
        websocket: WebSocket,
        session_id: str,
        after: int | None,
        hub: LiveHub,
        archive: Archive,
        settings: Settings,
    ) -> None:
        self._websocket = websocket
        self._session_id = session_id
        self._hub = hub
        self._archive = archive
        self._settings = settings
        asked_by = (websocket.url.scheme, websocket.headers.get("host", "localhost"))
        self._viewing = Viewing(session_id, after, archive, settings.live, self._send, asked_by)
        self._idle = IdleWatch(settings.server.websocket_idle_timeout_s)
        self._begun = asyncio.Event()
        self.sent = 0

    @property
    def seq(self) -> int:
        """The last durable event sent."""
        return self._viewing.seq

    async def converse(self) -> int:
        """Serve the viewer; returns the code to close with.

        Raises:
            WebSocketDisconnect: the viewer went away.
            OrchestrationError: what ends the connection.
        """
        row = await self._archive.session(self._session_id)
        if row.status in TERMINAL:
            await self._viewing.begin()
            return CLOSE_DONE
        with self._hub.watch(self._session_id) as (feed, queue):
            await feed.ready()
            await first_of(
                self._watch(queue), self._receive(), queue.overflow(), self._idle.watch()
            )
            return queue.close_code

    async def _watch(self, queue: ViewerQueue) -> None:
        await self._viewing.begin()
        self._begun.set()
        await self._viewing.forward(queue)

    async def _receive(self) -> None:
        limits = self._settings.ingest
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            self._idle.touch()
            await self._begun.wait()  # The snapshot is the first message, whatever comes.
            text = message.get("text")
            if not isinstance(text, str):
                raise BadRequest("A viewer sends text only.")
            parsed = wire.parse_viewer_message(text, limits)
            if isinstance(parsed, wire.Ping):
                await self._send(encode_message(pong_message(parsed)))
            else:
                await self._send(encode_message(unknown_type_message(parsed)))

    async def _send(self, text: str) -> None:
        self._idle.touch()
        self.sent += 1
        await self._websocket.send_text(text)


def live_router(current: CurrentSettings, hub: LiveHub, archive: Archive) -> APIRouter:
    """`/ws/live/{session_id}`."""
    router = APIRouter()

    @router.websocket("/ws/live/{session_id}")
    async def live(websocket: WebSocket, session_id: str) -> None:
        try:
            check_session_id(session_id)
            after = parse_after(websocket.query_params.get("after"))
            await archive.session(session_id)
        except OrchestrationError as error:
            await deny(websocket, error)
            return
        await websocket.accept()
        connection = LiveConnection(websocket, session_id, after, hub, archive, current.now)
        code, reason = await _outcome(connection, session_id)
        await close(websocket, code, reason)

    return router


async def _outcome(connection: LiveConnection, session_id: str) -> tuple[int, str]:
    """The conversation and its one line in the log; the close code and reason it calls for."""
    began_s = time.monotonic()
    code, reason = CLOSE_INTERNAL_ERROR, "internal_error"
    try:
        code, reason = await connection.converse(), ""
    except WebSocketDisconnect as gone:
        code, reason = gone.code, ""
    except OrchestrationError as error:
        code, reason = error.close_code, error.code
    except asyncio.CancelledError:
        code, reason = 1006, "cancelled"
        raise
    except Exception:
        _log.exception("live_connection_failed", session_id=session_id)
    finally:
        _log.info(
            "live_connection_ended",
            session_id=session_id,
            close_code=code,
            error=reason,
            seq=connection.seq,
            messages=connection.sent,
            duration_s=round(time.monotonic() - began_s, 3),
        )
    return code, reason
