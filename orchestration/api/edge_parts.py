"""What one process of the edge keeps between requests: begun with it, and ended with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestration.api.access import AccessRules
from orchestration.api.audio_chunks import ChunkSenders
from orchestration.api.audio_jobs import Uploads
from orchestration.api.audio_views import job_view
from orchestration.api.connection import Detached
from orchestration.api.connection_figures import sample_connections, sample_requests
from orchestration.api.connections import ConnectionRegistry
from orchestration.api.gateway import Gateway
from orchestration.api.health import HealthCache
from orchestration.api.live_hub import LiveHub
from orchestration.api.ports import Measures, Sessions
from orchestration.api.replicas import Replicas
from orchestration.api.request_rate import RequestBuckets
from orchestration.api.roll_call import RollCallPlace
from orchestration.config.current import CurrentSettings
from orchestration.config.models import Settings
from orchestration.json_types import JsonObject
from orchestration.storage.chunk_files import ChunkFileStore
from orchestration.storage.data_ports import DataArchive
from orchestration.storage.recordings import Recordings


class EdgeParts:
    """Counters, caches and work under way; limits follow the settings."""

    def __init__(
        self,
        settings: CurrentSettings,
        sessions: Sessions,
        archive: DataArchive,
        gateway: Gateway,
        measures: Measures,
        roll_call: RollCallPlace,
    ) -> None:
        held = settings.now
        server = held.server
        self.rules = AccessRules(server, archive)
        self.registry = ConnectionRegistry(
            server.websocket_max_connections, server.websocket_max_per_address
        )
        self.buckets = RequestBuckets(server.max_requests_per_s, server.request_burst)
        settings.on_change(self._limit)
        measures.sample(lambda meter: sample_connections(meter, self.registry))
        measures.sample(lambda meter: sample_requests(meter, self.buckets))
        self.health = HealthCache(sessions)
        self.detached = Detached()
        self.uploads = Uploads(settings, sessions, archive, self.detached)
        self.replicas = Replicas(roll_call, self.registry, self._job_here)
        self.senders = ChunkSenders(settings, sessions, archive, self.detached)
        self.hub = LiveHub(sessions, archive, held.live.viewer_queue_events)
        files = ChunkFileStore(held.recordings_dir)
        self.recordings = Recordings(archive, files, kept=held.sessions.record)
        self.gateway = gateway

    def _limit(self, now: Settings) -> None:
        server = now.server
        self.registry.limit(server.websocket_max_connections, server.websocket_max_per_address)
        self.buckets.limit(server.max_requests_per_s, server.request_burst)

    def _job_here(self, job_id: str) -> JsonObject | None:
        job = self.uploads.known(job_id)
        return None if job is None else job_view(job).model_dump()

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """From the first request that may come to the last; work under way is ended behind it."""
        self.replicas.start()
        yield
        await self.replicas.close()
        await self.health.close()
        await self.uploads.close()
        await self.senders.close()
        await self.gateway.close()
        await self.detached.finish()
