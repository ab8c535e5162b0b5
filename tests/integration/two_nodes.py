"""The service on a Ray cluster of two nodes on this machine, one of which is killed.

    python -m tests.integration.two_nodes DATA_DIR

Coded audio is played into a session of each node. Prints one JSON object: which node each session
lived on, where the one of the killed node went, after how many seconds its frames were acked again,
and what the checker found. A process of its own, as Ray reads its settings at import.
"""

import asyncio
import json
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from actors.cluster_environment import ClusterOptions, prepare_environment
from actors.cluster_folders import RunFolders, open_folders
from actors.cluster_ports import LOOPBACK, PortWindow, claim_ports
from orchestration.client.api import OrchestrationClient
from orchestration.config.models import DatabaseSettings, ServerSettings, SessionPolicy, Settings
from orchestration.config.service_models import ServicesSettings, UpstreamSettings
from orchestration.storage.embedded import EmbeddedPostgres
from tests.chaos.checker import check_session
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_session import CodedSession, coded_session
from tests.chaos.coded_whisper import CodedWhisper

SESSIONS = ("s0", "s1", "s2", "s3")
SPEED = 2.0
MEETING_MS = 280_000
"""At that speed, longer than a session may take to be at home on another node; it ends at the next
pause."""
ACK_LIMIT_S = 90.0
POLL_S = 0.2


@contextmanager
def two_nodes(folders: RunFolders, ports: PortWindow) -> Iterator[Callable[[str], None]]:
    """A cluster of two nodes, to whose head this process is connected; gives what kills a node."""
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
        second = cluster.add_node(**node)
        ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False)

        def kill(node_id: str) -> None:
            assert node_id == second.node_id, "only the node that is not the head can be spared"
            # A machine that dies takes its workers with it at once.
            workers = [
                worker
                for raylet in second.all_processes["raylet"]
                for worker in psutil.Process(raylet.process.pid).children(recursive=True)
            ]
            cluster.remove_node(second, allow_graceful=False)
            for worker in workers:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()

        yield kill
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]


async def exercise(url: str, dsn: str, folder: Path, kill_node: Callable[[str], None]) -> Any:
    """Play into a session of each node; the node of one of them is killed meanwhile."""
    meeting = coded_meeting(random.Random(0), MEETING_MS)
    async with OrchestrationClient(url) as client:
        for session_id in SESSIONS:
            await client.create_session(session_id=session_id, language="en")
        nodes = await nodes_of_sessions()
        one_of_each = {node: session_id for session_id, node in nodes.items()}
        head = head_node()
        staying, dying = (one_of_each[node] for node in sorted(one_of_each, key=head.__ne__))
        async with (
            coded_session(client, staying, meeting, folder, speed=SPEED) as undisturbed,
            coded_session(client, dying, meeting, folder, speed=SPEED) as session,
        ):
            await words_become_final(session)
            await asyncio.to_thread(kill_node, nodes[dying])
            killed_s = time.monotonic()
            now_on = await new_home(dying, nodes[dying])
            await session.acks_go_on(ACK_LIMIT_S)
            to_ack_s = time.monotonic() - killed_s
            ends = [await one.finish() for one in (undisturbed, session)]
            checked = [
                await check_session(client, dsn, one.session_id, one.meeting, one.events)
                for one in (undisturbed, session)
            ]
    return {
        "nodes": nodes,
        "head": head,
        "dying": dying,
        "now_on": now_on,
        "to_ack_s": to_ack_s,
        "coverages": ends,
        "faults": {one.session_id: str(one) for one in checked if not one.is_right},
        "words": {one.session_id: one.words_said for one in checked},
    }


async def words_become_final(session: CodedSession) -> None:
    """Until the session's viewer has seen a final line."""
    while True:
        if any(event["type"] == "segment" for event in session.events):
            return
        await asyncio.sleep(POLL_S)


async def new_home(session_id: str, former: str) -> str:
    """The node on which a session's actor is up again."""
    async with asyncio.timeout(ACK_LIMIT_S):
        while True:
            # While it moves, it has none.
            node = (await nodes_of_sessions()).get(session_id, former)
            if node != former:
                return node
            await asyncio.sleep(POLL_S)


async def nodes_of_sessions() -> dict[str, str]:
    """The node of each open session's actor, as the actors themselves say."""
    import ray
    from ray.exceptions import RayActorError

    from actors.names import COORDINATOR, NAMESPACE

    while True:
        # The coordinator may have lived on the node that died, and be on its way back.
        try:
            actors = await ray.get_actor(COORDINATOR, NAMESPACE).open_sessions.remote()
            return {
                session_id: (await ray.get_actor(name, NAMESPACE).figures.remote())["node_id"]
                for session_id, name in actors.items()
            }
        except (RayActorError, ValueError):
            await asyncio.sleep(POLL_S)


def head_node() -> str:
    """The node of this process, which is the head."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


async def play_on_two_nodes(settings: Settings, kill_node: Callable[[str], None]) -> Any:
    """The service on the cluster that this process is connected to, with a coded whisper."""
    async with CodedWhisper() as whisper:
        upstream = UpstreamSettings(url=whisper.url, kind="openai")
        served = settings.model_copy(
            update={"services": ServicesSettings(whisper=(upstream,), timeout_s=5)}
        )
        url = await asyncio.to_thread(start_serving, served)
        dsn = settings.database.url
        assert dsn is not None
        return await exercise(url, dsn, settings.data_dir, kill_node)


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
            sessions=SessionPolicy(warm_actors=0),
        )
        with two_nodes(folders, ports) as kill_node:
            try:
                report = asyncio.run(play_on_two_nodes(settings, kill_node))
            finally:
                stop_serving()
    finally:
        database.stop()
        folders.release()
        ports.release()
    # Ray prints too; what comes last is ours.
    print(json.dumps(report))


def start_serving(settings: Settings) -> str:
    """Deploy the service; its URL."""
    from ray import serve

    from actors.names import APPLICATION
    from serve_app import build_app

    server = settings.server
    serve.start(proxy_location="HeadOnly", http_options={"host": server.host, "port": server.port})
    serve.run(build_app(settings), name=APPLICATION, route_prefix="/", logging_config=None)
    return f"http://{server.host}:{server.port}"


def stop_serving() -> None:
    from ray import serve

    serve.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
