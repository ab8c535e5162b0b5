"""Starts and stops Ray and Serve: closed by default, nothing left behind.

Everything that runs or listens is decided here and in the `cluster_*` files beside it. `ray` is
imported inside functions, as it reads most of its settings from the environment at import.
"""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from actors import process_guard
from actors.cluster_environment import FIXED_ENVIRONMENT, ClusterOptions, prepare_environment
from actors.cluster_folders import RunFolders, open_folders, writing_to
from actors.cluster_ports import LOOPBACK, PortWindow, claim_ports, require_free
from actors.cluster_ray import address_of, keep_quiet, start_ray, start_serve
from orchestration.errors import ClusterError

__all__ = ["FIXED_ENVIRONMENT", "Cluster", "ClusterOptions", "start_cluster", "stop_cluster"]

# Serve's shutdown must be over before Ray's: what it asks of Ray later ends this process with 1.
_GRACEFUL_STOP_S = 32.0
_GUARD_GRACE_S = 4.0
"""What Ray's processes have to end by themselves, before the guard kills them."""
_GUARD_LIMIT_S = 20.0
"""The wait for the guard; after this its work is done here."""
_LOOPBACK_NODE = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


@dataclass(frozen=True)
class _LocalRun:
    """What this process started, and must end."""

    folders: RunFolders
    ports: PortWindow
    guard: "subprocess.Popen[bytes]"
    run_id: str


@dataclass(frozen=True)
class Cluster:
    """A running Ray with Serve, in which the caller deploys by `serve.run`."""

    host: str
    port: int
    dashboard_url: str
    """Asks for the token in `ray_token` below the data directory; empty: no dashboard."""
    local: _LocalRun | None
    """None where an existing cluster was joined."""


def start_cluster(options: ClusterOptions) -> Cluster:
    """Join the cluster that RAY_ADDRESS names, or start one that ends with this process.

    Call it from the main thread, as the kernel ends Ray's processes with the thread that started
    them. Takes about 10 s. Raises `PortInUse`, `DataDirectoryInUse`, or `ClusterError` when Ray
    does not start; nothing is left running then.
    """
    if os.environ.get("RAY_ADDRESS"):
        return _join(options)
    folders = open_folders(options.data_dir)
    with contextlib.ExitStack() as undo:
        undo.callback(folders.release)
        run_id = os.urandom(16).hex()
        # A run that was killed may still be ending, and hold the port.
        with writing_to(options.data_dir):
            killed = folders.begin_run(run_id)
        if killed:
            process_guard.end_run(killed, grace_s=0.0)
        ports = claim_ports(avoid=(options.port, options.dashboard_port))
        undo.callback(ports.release)
        options = replace(
            options,
            port=options.port or ports.http,
            dashboard_port=options.dashboard_port or ports.dashboard,
        )
        require_free(options.host, options.port)
        require_free(LOOPBACK, options.dashboard_port)
        cluster = _start_local(options, folders, ports, run_id, undo)
        undo.pop_all()
        return cluster


def stop_cluster(cluster: Cluster) -> None:
    """End the applications, Serve and Ray, and every process that they started.

    Of a joined cluster only this process's connection ends. Takes 5 s, and at most 60 s. Raises
    `ClusterError` when a process cannot be ended.
    """
    import ray

    if cluster.local is None:
        ray.shutdown()
        return
    _shut_down_serve()
    ray.shutdown()
    _end_run(cluster.local)


def _start_local(
    options: ClusterOptions,
    folders: RunFolders,
    ports: PortWindow,
    run_id: str,
    undo: contextlib.ExitStack,
) -> Cluster:
    with writing_to(options.data_dir):
        environment = prepare_environment(options, folders, ports)
    guard = _start_guard(run_id, folders.shortcut)
    local = _LocalRun(folders, ports, guard, run_id)
    undo.callback(_end_run, local)
    inherited = {"TMPDIR": str(folders.scratch), process_guard.RUN_ID_VARIABLE: run_id}
    os.environ.update(environment)
    with _environment(inherited):
        keep_quiet(folders.log_file, options.log_level)
        import ray

        undo.callback(ray.shutdown)
        try:
            dashboard_url = start_ray(options, folders, ports, run_id)
            start_serve(LOOPBACK, options.port)
        except Exception as error:
            raise ClusterError(
                f"Ray did not start: {error}. See {folders.log_file} and {folders.root / 'ray'}.",
                {"log_file": str(folders.log_file)},
            ) from error
    return Cluster(options.host, options.port, dashboard_url, local)


def _join(options: ClusterOptions) -> Cluster:
    address = os.environ["RAY_ADDRESS"]
    # The nodes of a cluster have their own settings; only what this process itself reads is set.
    for name in ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_LOG_TO_STDERR"):
        os.environ.setdefault(name, FIXED_ENVIRONMENT[name])
    if address.startswith("127."):
        # Else Ray asks this machine's public address, where a closed cluster does not listen.
        os.environ.setdefault(*_LOOPBACK_NODE)
    logs = options.data_dir / "logs"
    with writing_to(options.data_dir):
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_quiet(logs / "cluster.log", options.log_level)
    import ray

    from actors.names import NAMESPACE

    try:
        context = ray.init(
            address=address,
            namespace=NAMESPACE,
            logging_level=logging.getLevelNamesMapping()[options.log_level],
            log_to_driver=False,
        )
        start_serve(options.host, options.port)
    except Exception as error:
        ray.shutdown()
        raise ClusterError(
            f"Cannot join the Ray cluster at {address}: {error}", {"address": address}
        ) from error
    return Cluster(options.host, options.port, address_of(context.dashboard_url), None)


def _shut_down_serve() -> None:
    from ray import serve

    def shut_down() -> None:
        with contextlib.suppress(Exception):
            serve.shutdown()  # type: ignore[no-untyped-call]

    # Serve waits for replicas up to 30 s, as for one that loads a model; Ray ends them anyway.
    waiter = threading.Thread(target=shut_down, name="serve-shutdown", daemon=True)
    waiter.start()
    waiter.join(_GRACEFUL_STOP_S)


def _start_guard(run_id: str, shortcut: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            *(sys.executable, "-IS", str(Path(process_guard.__file__).resolve())),
            *(run_id, str(_GUARD_GRACE_S), str(shortcut)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end_run(local: _LocalRun) -> None:
    # Ray is over. What is left of its dashboard would go in a second or two, and has nothing to do.
    process_guard.end_run(local.run_id, grace_s=0.0)
    if local.guard.stdin is not None:
        local.guard.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        local.guard.wait(_GUARD_LIMIT_S)
    # The guard may have been killed itself.
    left = process_guard.end_run(local.run_id, grace_s=0.0)
    local.ports.release()
    local.folders.release()
    if left:
        raise ClusterError(f"Processes {left} of Ray cannot be ended.", {"process_ids": list(left)})


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set `variables` for Ray's processes to inherit, and not for what the owner starts later."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
