"""Starting and stopping Ray and Serve, in processes of their own: what listens, what is left."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.cluster_folders import KEPT_SESSIONS, open_folders
from orchestration.errors import DataDirectoryInUse

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
PATIENCE_S = 60.0

OWNER = """
import json, signal, sys, threading
from pathlib import Path
from actors.cluster import ClusterOptions, start_cluster, stop_cluster

asked_to_stop = threading.Event()
cluster = start_cluster(ClusterOptions(
    data_dir=Path(sys.argv[1]), host=sys.argv[2], port=0, num_cpus=2,
    object_store_bytes=100 * 2**20))
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: asked_to_stop.set())

from fastapi import FastAPI, WebSocket
from ray import serve
from starlette.responses import JSONResponse

api = FastAPI()

@serve.deployment(max_ongoing_requests=100, ray_actor_options={"num_cpus": 0.1})
@serve.ingress(api)
class Echo:
    @api.get("/api/health")
    async def health(self):
        return {"status": "ok"}

    @api.websocket("/echo")
    async def echo(self, websocket: WebSocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    @api.websocket("/unknown")
    async def unknown(self, websocket: WebSocket):
        await websocket.send_denial_response(JSONResponse({"code": "unknown"}, status_code=404))

    @api.websocket("/ended")
    async def ended(self, websocket: WebSocket):
        await websocket.accept()
        await websocket.close(4004, "no such session")

serve.run(Echo.bind(), name="echo", route_prefix="/")
from ray import get_runtime_context
print(json.dumps({"host": cluster.host, "port": cluster.port, "dashboard": cluster.dashboard_url,
                  "gcs": get_runtime_context().gcs_address}), flush=True)
asked_to_stop.wait()
stop_cluster(cluster)
"""


@dataclass
class Owner:
    """A process that runs the service's cluster, and what it said when it was ready."""

    process: "subprocess.Popen[str]"
    said: dict[str, Any]
    data_dir: Path

    @property
    def port(self) -> int:
        return int(self.said["port"])

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def start_owner(data_dir: Path, host: str = "127.0.0.1") -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir), host],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until_ready(process: "subprocess.Popen[str]", data_dir: Path) -> Owner:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("{"), line + process.stdout.read()
    return Owner(process, json.loads(line), data_dir)


@contextlib.contextmanager
def owner(data_dir: Path, host: str = "127.0.0.1") -> Iterator[Owner]:
    process = start_owner(data_dir, host)
    try:
        yield until_ready(process, data_dir)
    finally:
        # Its guard ends everything else, once it is gone.
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """Its path is too long for sockets, as a user's may be."""
    data_dir = tmp_path_factory.mktemp("data") / ("a long name " * 8) / "orchestration"
    with owner(data_dir, host="0.0.0.0") as started:
        yield started


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """Another on the same machine."""
    with owner(tmp_path_factory.mktemp("second")) as started:
        yield started


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """One more."""
    with owner(tmp_path_factory.mktemp("third")) as started:
        yield started


def listening(processes: list[psutil.Process]) -> dict[tuple[str, int], str]:
    """Names of processes by the address and port where they listen."""
    found = {}
    for process in processes:
        # HAProxies come and go as the replicas change.
        with contextlib.suppress(psutil.NoSuchProcess):
            name = process.name()
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    address = connection.laddr.ip.removeprefix("::ffff:")
                    found[address, connection.laddr.port] = name
    return found


def public_sockets(running: Owner) -> set[tuple[int, str]]:
    """Ports that other machines reach, each with the process that listens."""
    sockets = listening([psutil.Process(running.process.pid), *running.descendants()])
    return {(port, name) for (address, port), name in sockets.items() if address != "127.0.0.1"}


def wait_until_gone(process_ids: set[int]) -> None:
    deadline = time.monotonic() + STOP_LIMIT_S
    while left := {pid for pid in process_ids if psutil.pid_exists(pid)}:
        assert time.monotonic() < deadline, [psutil.Process(pid).cmdline() for pid in left]
        time.sleep(0.2)


def http_status(url: str, headers: dict[str, str] | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def handshake_status(port: int, path: str) -> int:
    return http_status(
        f"http://127.0.0.1:{port}{path}",
        {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )


class TestWhatListens:
    def test_only_the_frontend_is_public(self, running: Owner) -> None:
        public = public_sockets(running)
        deadline = time.monotonic() + PATIENCE_S
        # As the replicas change one HAProxy takes over from another, and is a new process.
        while (running.port, "haproxy") not in public:
            assert time.monotonic() < deadline, public
            time.sleep(0.2)
            public = public_sockets(running)

        # A replica's port for calls between deployments has no address to choose.
        replicas = {entry for entry in public if entry[1].startswith("ray::ServeReplica")}
        assert public - replicas == {(running.port, "haproxy")}
        assert len(replicas) <= 1
        for port, _ in replicas:
            assert_refuses_strangers(port, "/ray.serve.ASGIService/HandleRequest")

    def test_ray_refuses_strangers(self, running: Owner) -> None:
        gcs_port = int(running.said["gcs"].rpartition(":")[2])

        assert running.said["gcs"].startswith("127.0.0.1:")
        assert_refuses_strangers(gcs_port, "/ray.rpc.ActorInfoGcsService/GetAllActorInfo")

    def test_the_dashboard_asks_for_the_token(self, running: Owner) -> None:
        actors = running.said["dashboard"] + "/api/v0/actors"
        token = (running.data_dir / "ray_token").read_text()

        assert http_status(actors) == 401
        assert http_status(actors, {"Authorization": f"Bearer {token}"}) == 200
        assert (running.data_dir / "ray_token").stat().st_mode & 0o077 == 0


def assert_refuses_strangers(port: int, method: str) -> None:
    import grpc  # type: ignore[import-untyped]

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(method)(b"", timeout=PATIENCE_S)
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


class TestWhatServes:
    def test_http(self, running: Owner) -> None:
        assert http_status(f"http://127.0.0.1:{running.port}/api/health") == 200

    async def test_websocket(self, running: Owner) -> None:
        from aiohttp import ClientSession

        async with (
            ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{running.port}/echo") as websocket,
        ):
            await websocket.send_str("hello")
            assert await websocket.receive_str(timeout=PATIENCE_S) == "hello"

    async def test_close_code_reaches_the_client(self, running: Owner) -> None:
        from aiohttp import ClientSession

        async with (
            ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{running.port}/ended") as websocket,
        ):
            closing = await websocket.receive(timeout=PATIENCE_S)
            assert (closing.data, closing.extra) == (4004, "no such session")

    def test_refused_handshake_keeps_its_status(self, running: Owner) -> None:
        assert handshake_status(running.port, "/unknown") == 404

    async def test_a_killed_manager_cuts_no_connection(self, running: Owner) -> None:
        from aiohttp import ClientSession

        manager = next(p for p in running.descendants() if p.name() == "ray::HAProxyManager")
        async with (
            ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{running.port}/echo") as websocket,
        ):
            manager.kill()
            manager.wait(PATIENCE_S)
            await websocket.send_str("still here")
            assert await websocket.receive_str(timeout=PATIENCE_S) == "still here"
            assert http_status(f"http://127.0.0.1:{running.port}/api/health") == 200


class TestFolders:
    def test_old_sessions_do_not_pile_up(self, tmp_path: Path) -> None:
        sessions = [tmp_path / "run" / "ray" / f"session_2026-01-0{day}" for day in range(1, 7)]
        for session in sessions:
            session.mkdir(parents=True)

        open_folders(tmp_path).release()

        assert [session for session in sessions if session.exists()] == sessions[-KEPT_SESSIONS:]

    def test_one_service_at_a_time(self, tmp_path: Path) -> None:
        held = open_folders(tmp_path)
        with pytest.raises(DataDirectoryInUse):
            open_folders(tmp_path)
        held.release()
        open_folders(tmp_path).release()

    def test_a_killed_run_leaves_no_second_shortcut(self, tmp_path: Path) -> None:
        killed = open_folders(tmp_path)
        killed.lock.close()
        following = open_folders(tmp_path)

        assert not killed.shortcut.is_symlink()
        assert following.shortcut.is_symlink()
        following.release()
        assert not following.shortcut.is_symlink()

    def test_what_ends_a_killed_run_leaves_the_next_one_its_shortcut(self, tmp_path: Path) -> None:
        killed = open_folders(tmp_path)
        killed.lock.close()
        following = open_folders(tmp_path)

        assert following.shortcut != killed.shortcut
        following.release()


class TestTwoOnOneMachine:
    def test_they_share_no_port_and_no_directory(self, running: Owner, second: Owner) -> None:
        first_ports = {port for _, port in listening(running.descendants())}
        second_ports = {port for _, port in listening(second.descendants())}
        assert not first_ports & second_ports

        intruder = start_owner(running.data_dir)
        output, _ = intruder.communicate(timeout=START_LIMIT_S)
        assert "DataDirectoryInUse" in output
        assert intruder.returncode != 0


class TestStopping:
    """The last tests here: they end what the others use."""

    @pytest.mark.parametrize(
        ("how", "whom"),
        [(signal.SIGINT, "second"), (signal.SIGTERM, "third"), (signal.SIGKILL, "running")],
    )
    def test_leaves_nothing(
        self, how: signal.Signals, whom: str, request: pytest.FixtureRequest
    ) -> None:
        started: Owner = request.getfixturevalue(whom)
        process = started.process
        ours = {p.pid for p in started.descendants()}
        if how is signal.SIGINT:
            # As a terminal does: to the whole foreground group.
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        output, _ = process.communicate(timeout=STOP_LIMIT_S)

        assert output == "", "a user's terminal shows nothing of Ray"
        assert process.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 0)
        wait_until_gone(ours)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", started.port)) != 0
        links = [entry for entry in Path("/tmp").glob("orch-*") if entry.is_symlink()]
        assert not [link for link in links if link.readlink().is_relative_to(started.data_dir)]
