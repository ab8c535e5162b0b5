"""The service on a Ray cluster of two nodes on this machine: sessions live on both.

    python -m tests.integration.two_nodes DATA_DIR

Prints one JSON object: which node each session's actor lives on, and how the session of each node
into which audio was played came out. A process of its own, as Ray reads its settings at import.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.cluster_environment import ClusterOptions, prepare_environment
from actors.cluster_folders import RunFolders, open_folders
from actors.cluster_ports import LOOPBACK, PortWindow, claim_ports
from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.player import AudioTrack, play
from orchestration.config.models import (
    DatabaseSettings,
    EmbeddedWhisperSettings,
    ServerSettings,
    ServicesSettings,
    SessionPolicy,
    Settings,
)
from orchestration.storage.embedded import EmbeddedPostgres

READING = Path(__file__).parents[1] / "data" / "reading.flac"
SESSIONS = ("s0", "s1", "s2", "s3")


@contextmanager
def two_nodes(folders: RunFolders, ports: PortWindow) -> Iterator[None]:
    """A cluster of two nodes, to which this process is connected."""
    import ray
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"node_ip_address": LOOPBACK, "num_cpus": 1}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            **node,
            "temp_dir": str(folders.ray),
            "dashboard_agent_listen_port": ports.node_agent,
            "metrics_export_port": ports.node_metrics,
        },
    )
    try:
        cluster.add_node(**node)
        ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]


async def play_into(client: OrchestrationClient, session_id: str) -> dict[str, Any]:
    """The session's transcript, after the reading was played into it."""
    track = AudioTrack(0, READING)
    try:
        async with BotConnection(client, session_id, [track.spec]) as bot:
            await play(bot, [track], speed=0)
            await bot.end()
        transcript: dict[str, Any] = await client.transcript(session_id)
        return transcript
    finally:
        track.close()


async def exercise(url: str) -> dict[str, Any]:
    """Create the sessions, find them, and play into one of each node."""
    async with OrchestrationClient(url) as client:
        for session_id in SESSIONS:
            await client.create_session(session_id, language="en")
        nodes = await nodes_of_sessions()
        one_of_each = {node: session_id for session_id, node in nodes.items()}
        played = await asyncio.gather(*(play_into(client, one) for one in one_of_each.values()))
    return {
        "nodes": nodes,
        "played": {
            one["session_id"]: {
                "status": one["status"],
                "text": " ".join(segment["text"] for segment in one["segments"]),
            }
            for one in played
        },
    }


async def nodes_of_sessions() -> dict[str, str]:
    """The node of each open session's actor, as the actors themselves say."""
    import ray

    from actors.names import COORDINATOR, NAMESPACE

    actors = await ray.get_actor(COORDINATOR, NAMESPACE).open_sessions.remote()
    return {
        session_id: (await ray.get_actor(name, NAMESPACE).figures.remote())["node_id"]
        for session_id, name in actors.items()
    }


def main() -> None:
    data_dir = Path(sys.argv[1])
    folders = open_folders(data_dir)
    ports = claim_ports(avoid=())
    options = ClusterOptions(data_dir, port=ports.http)
    # Cluster writes its address below RAY_TMPDIR, whatever its nodes' own folder.
    os.environ["RAY_TMPDIR"] = str(folders.shortcut)
    os.environ.update(prepare_environment(options, folders, ports))
    database = EmbeddedPostgres(data_dir)
    try:
        settings = Settings(
            data_dir=data_dir,
            log_level="WARNING",
            server=ServerSettings(port=ports.http),
            database=DatabaseSettings(url=database.start()),
            services=ServicesSettings(embedded_whisper=EmbeddedWhisperSettings(model="tiny.en")),
            sessions=SessionPolicy(warm_actors=0),
        )
        with two_nodes(folders, ports):
            report = serve_and_exercise(settings)
    finally:
        database.stop()
        folders.release()
        ports.release()
    # Ray prints too; what comes last is ours.
    print(json.dumps(report))


def serve_and_exercise(settings: Settings) -> dict[str, Any]:
    """The service on the cluster that this process is connected to."""
    from ray import serve

    from actors.names import APPLICATION
    from serve_app import build_app

    server = settings.server
    serve.start(proxy_location="HeadOnly", http_options={"host": server.host, "port": server.port})
    try:
        serve.run(build_app(settings), name=APPLICATION, route_prefix="/", logging_config=None)
        return asyncio.run(exercise(f"http://{server.host}:{server.port}"))
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
