"""The ingest WebSocket: who is let in, and the end of each connection."""

import asyncio
import time

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestration.api.connection import (
    CLOSE_DONE,
    CLOSE_INTERNAL_ERROR,
    Detached,
    IdleWatch,
    close,
    deny,
)
from orchestration.api.ingest_connection import IngestConnection
from orchestration.api.ports import Sessions
from orchestration.api.server_messages import (
    encode_message,
    error_message,
)
from orchestration.api.session_ids import check_session_id
from orchestration.api.session_line import SessionLine
from orchestration.config.current import CurrentSettings
from orchestration.errors import OrchestrationError
from orchestration.storage.archive_ports import Archive

FAREWELL_TIMEOUT_S = 1
"""How long a fatal error may wait behind what the sender has not read."""

_log = structlog.get_logger(__name__)


def ingest_router(
    current: CurrentSettings, sessions: Sessions, archive: Archive, detached: Detached
) -> APIRouter:
    """`/ws/ingest/{session_id}`."""
    router = APIRouter()

    @router.websocket("/ws/ingest/{session_id}")
    async def ingest(websocket: WebSocket, session_id: str) -> None:
        try:
            check_session_id(session_id)
            connection_id = await archive.new_connection_id(session_id)
        except OrchestrationError as error:
            await deny(websocket, error)
            return
        await websocket.accept()
        line = SessionLine(session_id, connection_id, sessions, archive)
        settings = current.now
        idle = IdleWatch(settings.server.websocket_idle_timeout_s)
        connection = IngestConnection(websocket, line, connection_id, settings.ingest, idle)
        log = _log.bind(session_id=session_id, connection_id=connection_id)
        await _serve(connection, websocket, line, detached, log)

    return router


async def _serve(
    connection: IngestConnection,
    websocket: WebSocket,
    line: SessionLine,
    detached: Detached,
    log: structlog.typing.FilteringBoundLogger,
) -> None:
    """The conversation, its close, and its one line in the log."""
    code, reason, error_code = CLOSE_DONE, "", ""
    began_s = time.monotonic()
    try:
        await connection.converse()
    except WebSocketDisconnect as gone:
        code = gone.code
    except OrchestrationError as error:
        code, reason, error_code = error.close_code, error.code, error.code
        await _say_fatal(websocket, error)
    except asyncio.CancelledError:
        code, error_code = 1006, "cancelled"
        raise
    except Exception:
        code, reason, error_code = CLOSE_INTERNAL_ERROR, "internal_error", "internal_error"
        log.exception("ingest_connection_failed")
        await _say_fatal(websocket, OrchestrationError("Something unexpected went wrong."))
    finally:
        line.disconnect(detached)
        tally = connection.tally
        log.info(
            "ingest_connection_ended",
            close_code=code,
            error=error_code,
            epoch=line.epoch,
            frames=tally.frames,
            audio_bytes=tally.audio_bytes,
            facts=tally.facts,
            unknown_messages=tally.unknown_messages,
            retries=line.retries,
            duration_s=round(time.monotonic() - began_s, 3),
        )
    await close(websocket, code, reason)


async def _say_fatal(websocket: WebSocket, error: OrchestrationError) -> None:
    try:
        async with asyncio.timeout(FAREWELL_TIMEOUT_S):
            await websocket.send_text(encode_message(error_message(error, fatal=True)))
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        return
