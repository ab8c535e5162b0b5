"""The replica that bots, viewers and operators speak to.

The application's other replicas import this file too: what this one alone works with, it imports
as it starts.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ray import serve
from starlette.types import ASGIApp

from actors.detached import detached_actor
from actors.dispatcher_engines import DispatcherEngines
from actors.names import COORDINATOR, HEALTH_MONITOR, ask
from actors.node_measures import NodeMeasures
from actors.node_roll_call import NodeRollCall
from actors.session_gateway import RaySessions
from actors.settings_follower import SettingsFollower
from actors.settings_gateway import RaySettings
from orchestration.config.current import CurrentSettings
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.config.service_models import ServicesSettings
from orchestration.logs import configure_logs
from orchestration.metrics.meter import Meter
from orchestration.services.gateway import HttpGateway
from orchestration.services.gateway_pool import GatewayUpstream
from orchestration.services.pool_figures import sample_gateway
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect_pool, sample_connections
from orchestration.storage.postgres_archive import PostgresArchive

WEB_DIR = Path(__file__).parents[1] / "orchestration" / "web"


class Ingress:
    """HTTP API, WebSocket ingest and live, pages. Brings up the detached actors it speaks to."""

    def __init__(self, layers: Layers, dsn: str, *deployments: Any) -> None:
        """`deployments` only have to be there; they are reached through the dispatchers."""
        self._layers = layers
        self._settings = layers.settings()
        configure_logs(self._settings.log_level)
        self._dsn = dsn

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        from orchestration.api.app import create_api

        database = self._settings.database
        pool = await connect_pool(
            self._dsn,
            min_size=database.pool_min,
            max_size=database.pool_max,
            connect_timeout_s=database.connect_timeout_s,
        )
        await migrate(self._dsn, connect_timeout_s=database.connect_timeout_s)
        archive = PostgresArchive(pool)
        await self._ensure_actors()
        measures = NodeMeasures()
        measures.sample(lambda meter: sample_connections(meter, "ingress", pool))
        current = CurrentSettings(self._settings)
        gateway = _gateway(self._settings.services, measures.meter)
        current.on_change(lambda held: _tune_gateway(gateway, held.services))
        follower = SettingsFollower("ingress", _taking(current))
        await follower.look()
        follower.start()
        measures.sample(lambda meter: sample_gateway(meter, gateway.snapshot()))
        measures.start()
        return create_api(
            current,
            RaySettings(),
            RaySessions(archive),
            archive,
            DispatcherEngines(),
            gateway,
            measures,
            NodeRollCall(),
            WEB_DIR,
        )

    async def _ensure_actors(self) -> None:
        from actors.coordinator import Coordinator
        from actors.health_monitor import HealthMonitor

        application = serve.get_replica_context().app_name
        coordinator = detached_actor(Coordinator, COORDINATOR, self._layers, self._dsn, application)
        monitor = detached_actor(HealthMonitor, HEALTH_MONITOR, self._settings, self._dsn)
        await ask(coordinator.ready.remote(), "coordinator")
        await ask(monitor.watch.remote(), "health monitor")


def _gateway(services: ServicesSettings, meter: Meter) -> HttpGateway:
    return HttpGateway(
        _behind_gateway(services),
        timeout_s=services.gateway_timeout_s or services.timeout_s,
        tries=services.tries,
        eject_after=services.balancing.eject_after,
        meter=meter,
    )


def _tune_gateway(gateway: HttpGateway, services: ServicesSettings) -> None:
    gateway.tune(
        timeout_s=services.gateway_timeout_s or services.timeout_s,
        tries=services.tries,
        eject_after=services.balancing.eject_after,
    )
    gateway.apply(_behind_gateway(services))


def _behind_gateway(services: ServicesSettings) -> dict[str, list[GatewayUpstream]]:
    """The remote services of both pools; embedded engines have no HTTP to pass on to."""
    pools = {"whisper": services.whisper, "translation": services.translation}
    return {
        name: [
            GatewayUpstream(one.url, one.weight, one.api_key)
            for one in pool
            if one.kind != "embedded"
        ]
        for name, pool in pools.items()
    }


def _taking(current: CurrentSettings) -> Callable[[int, Settings], Awaitable[None]]:
    async def take(version: int, settings: Settings) -> None:
        current.take(version, settings)

    return take
