"""The edge as one ASGI application: HTTP API, WebSockets, and the live page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

import orchestration
from orchestration.api.access import (
    REFERENCE_PATH,
    TRIAL_PATH,
    AccessControl,
    access_router,
)
from orchestration.api.alerts import alerts_router
from orchestration.api.audio_chunk_routes import chunks_router
from orchestration.api.audio_config import audio_config_router
from orchestration.api.audio_models import EngineDirectory, models_router
from orchestration.api.audio_stats import audio_stats_router
from orchestration.api.audio_uploads import uploads_router
from orchestration.api.correlations import correlations_router
from orchestration.api.edge_parts import EdgeParts
from orchestration.api.erasures import erasures_router
from orchestration.api.gateway import Gateway, GatewayFront, gateway_router
from orchestration.api.health import health_router
from orchestration.api.ingest import ingest_router
from orchestration.api.limits import BodyLimit, RequestRate, WebSocketGate
from orchestration.api.live import live_router
from orchestration.api.metrics import metrics_router
from orchestration.api.openai import openai_router
from orchestration.api.openai_errors import OpenAIErrors
from orchestration.api.ports import Measures, Sessions
from orchestration.api.problems import (
    UnexpectedErrors,
    for_http_only,
    install_problem_handlers,
    without_a_route,
)
from orchestration.api.prometheus import prometheus_router
from orchestration.api.reference.document import DocumentedApi
from orchestration.api.reference_page import REFERENCE_POLICY, reference_page
from orchestration.api.roll_call import RollCallPlace
from orchestration.api.search import search_router
from orchestration.api.security_headers import SecurityHeaders
from orchestration.api.session_data import session_data_router
from orchestration.api.session_export import session_export_router
from orchestration.api.sessions import sessions_router
from orchestration.api.settings import settings_router
from orchestration.api.settings_changes import settings_changes_router
from orchestration.api.socket_io import SOCKET_IO_PATH, SocketIo
from orchestration.api.socket_io_audio import SocketIoSender
from orchestration.api.socket_io_client import SocketIoServices
from orchestration.api.speakers import speakers_router
from orchestration.api.timing import timing_router
from orchestration.api.transcripts import transcripts_router
from orchestration.api.websocket_routes import websocket_router
from orchestration.config.current import CurrentSettings
from orchestration.services.settings_desk import SettingsControl
from orchestration.session.engine_calls import Engines
from orchestration.storage.data_ports import DataArchive


class EdgeEngines(Engines, EngineDirectory, Protocol):
    """The whisper and translation pools, and what is behind them."""


def create_api(
    settings: CurrentSettings,
    control: SettingsControl,
    sessions: Sessions,
    archive: DataArchive,
    engines: EdgeEngines,
    gateway: Gateway,
    measures: Measures,
    roll_call: RollCallPlace,
    web_dir: Path,
) -> FastAPI:
    """The application of one process.

    Args:
        settings: the settings that hold here: limits, the key's hash, allowed origins.
        control: where settings are changed.
        sessions: the running sessions.
        archive: what is stored.
        engines: the whisper and translation pools, for what this service makes of them.
        gateway: the services of the pools themselves.
        measures: the figures of all nodes.
        roll_call: where this replica and its kin are asked.
        web_dir: the pages: `index.html` at `/`, `try.html` at `/try`, all files below `/static/`.
    """
    parts = EdgeParts(settings, sessions, archive, gateway, measures, roll_call)
    app = DocumentedApi(
        title="Orchestration",
        summary="Meeting audio in, one named and translated transcript out.",
        version=orchestration.__version__,
        lifespan=parts.lifespan,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(OpenAIErrors),
            Middleware(UnexpectedErrors),
            Middleware(RequestRate, buckets=parts.buckets),
            Middleware(AccessControl, rules=parts.rules),
            Middleware(BodyLimit),
            Middleware(WebSocketGate, registry=parts.registry),
            Middleware(GatewayFront, gateway=gateway),
        ],
    )
    install_problem_handlers(app)
    app.router.default = without_a_route(app.router)
    routers = (
        *_service_routers(settings, control, archive, measures, parts),
        *_session_routers(settings, sessions, archive, parts),
        *_audio_routers(settings, archive, engines, parts),
        gateway_router(),
        *_websocket_routers(settings, sessions, archive, parts),
    )
    for router in routers:
        app.include_router(router)
    sender = SocketIoSender(settings, parts.senders)
    socket_io = SocketIoServices(settings, parts.hub, archive, engines, parts.health, sender)
    app.mount(SOCKET_IO_PATH, SocketIo(socket_io))
    _add_pages(app, web_dir)
    return app


def _service_routers(
    settings: CurrentSettings,
    control: SettingsControl,
    archive: DataArchive,
    measures: Measures,
    parts: EdgeParts,
) -> Sequence[APIRouter]:
    """How the service is, who may come in, and what is set."""
    return (
        health_router(parts.health),
        alerts_router(parts.health, archive),
        metrics_router(parts.health, settings, parts.replicas),
        prometheus_router(measures),
        access_router(settings.now.server, parts.rules, archive),
        settings_router(settings, control),
        settings_changes_router(control),
    )


def _session_routers(
    settings: CurrentSettings, sessions: Sessions, archive: DataArchive, parts: EdgeParts
) -> Sequence[APIRouter]:
    """What is asked of sessions, and said about them."""
    recordings = parts.recordings
    under_way_dir = settings.now.data_dir / "recordings_under_way"
    return (
        sessions_router(sessions, archive, settings),
        transcripts_router(archive, recordings, under_way_dir),
        session_data_router(archive),
        session_export_router(archive, recordings, under_way_dir),
        search_router(archive),
        erasures_router(sessions, archive),
        speakers_router(sessions, archive),
        correlations_router(sessions, archive),
    )


def _audio_routers(
    settings: CurrentSettings, archive: DataArchive, engines: EdgeEngines, parts: EdgeParts
) -> Sequence[APIRouter]:
    """Audio that comes over HTTP, who hears it, and how it lies in time."""
    return (
        openai_router(settings, engines),
        uploads_router(settings, archive, parts.uploads, parts.replicas),
        chunks_router(settings, parts.senders),
        audio_stats_router(settings, archive, parts.uploads, parts.senders),
        audio_config_router(settings),
        models_router(engines),
        timing_router(archive),
    )


def _websocket_routers(
    settings: CurrentSettings, sessions: Sessions, archive: DataArchive, parts: EdgeParts
) -> Sequence[APIRouter]:
    """Bots, viewers, and who is connected."""
    return (
        ingest_router(settings, sessions, archive, parts.detached),
        live_router(settings, parts.hub, archive),
        websocket_router(settings, parts.replicas),
    )


def _add_pages(app: FastAPI, web_dir: Path) -> None:
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(web_dir / "index.html")

    @app.api_route(TRIAL_PATH, methods=["GET", "HEAD"], include_in_schema=False)
    async def trial() -> FileResponse:
        return FileResponse(web_dir / "try.html")

    @app.get(REFERENCE_PATH, include_in_schema=False)
    async def reference() -> HTMLResponse:
        headers = {"Content-Security-Policy": REFERENCE_POLICY}
        return HTMLResponse(reference_page(app.openapi()), headers=headers)

    app.mount("/static", for_http_only(StaticFiles(directory=web_dir, check_dir=False)))
