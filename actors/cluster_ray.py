"""Starts Ray and Serve in this process, with what their own functions do not offer: parameters of
`ray start`, other tries, and a quiet terminal.

`ray` is imported inside functions, as it reads most of its settings from the environment at import.
"""

import contextlib
import functools
import logging
from collections.abc import Iterator, Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from actors import process_guard
from actors.cluster_environment import ClusterOptions
from actors.cluster_folders import RunFolders
from actors.cluster_ports import LOOPBACK, PortWindow
from orchestration.errors import ClusterError

_START_TRIES = 3
"""Of Ray, which gives itself 30 s for each; the last failure is the start's."""
_LOG_BYTES = 10 * 2**20
_LOGS_KEPT = 2
"""A longer log is renamed; so many of those are kept beside it."""
_log = logging.getLogger(__name__)


def start_ray(options: ClusterOptions, folders: RunFolders, ports: PortWindow, run_id: str) -> str:
    """Start Ray, again if need be: it gives itself 30 s, too little where the machine is busy.

    Returns the address of its dashboard; raises whatever Ray raises.
    """
    import ray

    for _ in range(_START_TRIES - 1):
        try:
            return _start_once(options, folders, ports)
        except Exception as error:
            _log.warning("Ray did not start, and is started again: %s", error)
            ray.shutdown()
            process_guard.end_run(run_id, grace_s=0.0)
    return _start_once(options, folders, ports)


def _start_once(options: ClusterOptions, folders: RunFolders, ports: PortWindow) -> str:
    import ray
    from ray._private import ray_constants
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    from actors.names import NAMESPACE

    if ray_constants.ENABLE_RAY_CLUSTER:
        raise ClusterError("ray was imported before FIXED_ENVIRONMENT was set.")
    # A token of an earlier cluster in this process would be refused by the new one.
    AuthenticationTokenLoader.instance().reset_cache()
    with _ray_parameters(
        dashboard_agent_listen_port=ports.node_agent,
        # Nobody reads the logs that it would send to drivers, nor adds a node to this one.
        include_log_monitor=False,
        no_monitor=True,
    ):
        context = ray.init(
            num_cpus=options.num_cpus,
            object_store_memory=options.object_store_bytes,
            include_dashboard=True,
            dashboard_host=LOOPBACK,
            dashboard_port=options.dashboard_port,
            namespace=NAMESPACE,
            logging_level=logging.getLevelNamesMapping()[options.log_level],
            log_to_driver=False,
            _temp_dir=str(folders.ray),
            _metrics_export_port=ports.node_metrics,
        )
    return address_of(context.dashboard_url)


def start_serve(host: str, port: int) -> None:
    """Start Serve, or find the one of the cluster that was joined; it logs where Ray does."""
    from ray import serve

    serve_log = logging.getLogger("ray.serve")
    serve_log.handlers.clear()
    serve_log.setLevel(logging.NOTSET)
    serve_log.propagate = True
    serve.start(http_options={"host": host, "port": port})


def address_of(address: str | None) -> str:
    """A dashboard's URL, empty where there is none."""
    return f"http://{address}" if address else ""


def keep_quiet(log_file: Path, level: str) -> None:
    """Send what Ray and Serve would print to this process's terminal to `log_file`."""
    # First, as importing Ray sets up its logger.
    from ray._private import worker

    handler = RotatingFileHandler(log_file, maxBytes=_LOG_BYTES, backupCount=_LOGS_KEPT)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    ray_log = logging.getLogger("ray")
    for earlier in ray_log.handlers[:]:
        ray_log.removeHandler(earlier)
        earlier.close()
    ray_log.addHandler(handler)
    ray_log.setLevel(level)
    ray_log.propagate = False

    # Ray prints the cluster's error events even when it is told not to print logs.
    def write_down(data: Mapping[str, Any], ignore_prefix: bool) -> None:
        for line in data["lines"]:
            ray_log.warning("%s: %s", data["pid"], line)

    worker.print_to_stdstream = write_down


@contextlib.contextmanager
def _ray_parameters(**parameters: Any) -> Iterator[None]:
    """Give Ray parameters that `ray start` has and `ray.init` has not.

    Without a port of its own, the node agent lets 5 s go by where 52365 is taken.
    """
    from ray._private import parameter

    original = parameter.RayParams
    parameter.RayParams = functools.partial(  # type: ignore[misc,assignment]
        original, **parameters
    )
    try:
        yield
    finally:
        parameter.RayParams = original  # type: ignore[misc]
