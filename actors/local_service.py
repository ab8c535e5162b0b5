"""The whole service on one machine: database, Ray, deployments, in this order, and back."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
import structlog
from ray import serve

from actors.cluster import Cluster, ClusterOptions, start_cluster, stop_cluster
from actors.names import APPLICATION, COORDINATOR, NAMESPACE
from actors.start_failures import start_failure
from orchestration.config.loader import check_safe
from orchestration.config.models import Settings
from orchestration.errors import ClusterError, OrchestrationError
from orchestration.services.whisper_models import locate_model
from orchestration.storage.embedded import EmbeddedPostgres
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect

log = structlog.get_logger(__name__)

GOODBYE_MS = 1_000
"""A stopping service serves on this long after telling senders to go away."""

DATABASE_CHECK_S = 0.5
"""How often the embedded database is looked after."""


def _say_goodbye() -> None:
    """Tell every sender to come back, and let them hear it."""
    try:
        coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
        goodbye: Any = coordinator.go_away.remote("the service stops", GOODBYE_MS)
        told = ray.get(goodbye, timeout=GOODBYE_MS / 1000)
    except (ray.exceptions.RayError, ValueError):
        return
    if told:
        time.sleep(GOODBYE_MS / 1000)


def _failures() -> dict[str, str]:
    """What Serve keeps of the deployments that are not well."""
    try:
        application = serve.status().applications[APPLICATION]
    except (ray.exceptions.RayError, RuntimeError, KeyError):
        return {}
    return {
        name: one.message
        for name, one in application.deployments.items()
        if one.status.value in ("DEPLOY_FAILED", "UNHEALTHY")
    }


async def _reach(dsn: str, timeout_s: float) -> None:
    """Connect to the database once; raises DatabaseUnavailable."""
    await (await connect(dsn, connect_timeout_s=timeout_s)).close()


@dataclass(frozen=True, slots=True)
class ServiceUrls:
    """Where the running service is reached."""

    api: str
    live_page: str
    dashboard: str


class LocalService:
    """The whole service on this machine: starts in order, stops in reverse, leaves nothing."""

    def __init__(self, settings: Settings, build_app: Callable[[str], serve.Application]) -> None:
        """`build_app` makes the application that uses the database with the DSN."""
        self._build_app = build_app
        self._settings = settings
        self._database: EmbeddedPostgres | None = None
        self._cluster: Cluster | None = None
        self._stopping = threading.Event()
        self._database_watch: threading.Thread | None = None

    def start(self, on_progress: Callable[[str], None]) -> ServiceUrls:
        """Start everything; call it from the main thread. What was started is stopped on failure.

        Raises:
            ConfigurationError, PortInUse, DatabaseUnavailable, ModelMissing, ClusterError
        """
        try:
            return self._start(on_progress)
        except BaseException:
            self.stop()
            raise

    def _start(self, on_progress: Callable[[str], None]) -> ServiceUrls:
        settings = self._settings
        check_safe(settings)
        if settings.services.embeds_whisper:
            on_progress(f"Looking for the whisper model {settings.services.embedded_whisper.model}")
            locate_model(settings.services.embedded_whisper.model, settings.data_dir / "models")
        if settings.database.url:
            on_progress("Looking for the database")
            asyncio.run(_reach(settings.database.url, settings.database.connect_timeout_s))
        on_progress("Starting Ray")
        self._cluster = start_cluster(
            ClusterOptions(
                data_dir=settings.data_dir,
                host=settings.server.host,
                port=settings.server.port,
            )
        )
        on_progress("Preparing the database")
        dsn = settings.database.url or self._start_database()
        timeout_s = settings.database.connect_timeout_s
        asyncio.run(migrate(dsn, connect_timeout_s=timeout_s))
        on_progress("Deploying")
        app = self._build_app(dsn)
        try:
            serve.run(app, name=APPLICATION, route_prefix="/", logging_config=None)
        except Exception as error:
            raise ClusterError(start_failure(error, _failures())) from error
        self._watch_database()
        return self._urls(self._cluster)

    def stop(self) -> None:
        """Stop what runs; does nothing when nothing does."""
        self._stopping.set()
        if self._database_watch is not None:
            self._database_watch.join()
        cluster, self._cluster = self._cluster, None
        database, self._database = self._database, None
        if cluster is not None and cluster.local is not None:
            _say_goodbye()
        try:
            if cluster is not None:
                stop_cluster(cluster)
        finally:
            if database is not None:
                database.stop()

    def _watch_database(self) -> None:
        """Start the embedded database again should it die: sessions only wait for it."""
        database = self._database
        if database is None:
            return

        def watch() -> None:
            while not self._stopping.wait(DATABASE_CHECK_S):
                if not database.is_running:
                    log.warning("database_restarts")
                    try:
                        database.restart()
                    except OrchestrationError as error:
                        log.error("database_not_restarted", reason=error.message)
                    except Exception:
                        # Whatever it is: it is tried again, or the database would stay away.
                        log.exception("database_not_restarted")

        self._database_watch = threading.Thread(target=watch, name="database-watch", daemon=True)
        self._database_watch.start()

    def _start_database(self) -> str:
        self._database = EmbeddedPostgres(self._settings.data_dir)
        return self._database.start()

    def _urls(self, cluster: Cluster) -> ServiceUrls:
        host = "127.0.0.1" if cluster.host in ("0.0.0.0", "::") else cluster.host
        api = f"http://{f'[{host}]' if ':' in host else host}:{cluster.port}"
        return ServiceUrls(api=api, live_page=f"{api}/", dashboard=cluster.dashboard_url)
