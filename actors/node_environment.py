"""Prints what a node of a cluster must have in its environment when `ray start` starts it.

    node=$(python -m actors.node_environment [head]) && eval "$node" && ray start ...

Settings come from the environment (ORCHESTRATION_DATA_DIR, HOST, PORT, ORCHESTRATION_API_KEY,
DATABASE_URL). The cluster's token is not among what is printed: RAY_AUTH_TOKEN must be the same on
all nodes. What an earlier run left on this node, as HAProxy after `ray stop`, is ended first.
"""

import os
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from actors import process_guard
from actors.cluster_environment import ClusterOptions, prepare_environment
from actors.cluster_folders import last_run, open_folders
from actors.cluster_ports import claim_ports, require_free
from orchestration.config.environment import API_KEY_VARIABLE
from orchestration.config.layers import load_settings
from orchestration.config.loader import is_loopback
from orchestration.config.models import Settings
from orchestration.errors import ClusterError, ConfigurationError, OrchestrationError

TOKEN_VARIABLE = "RAY_AUTH_TOKEN"
HEAD = "head"
"""Argument: this node is the head, where HAProxy listens."""


def node_environment(environ: Mapping[str, str], *, is_head: bool) -> dict[str, str]:
    """Environment variables for one node of a cluster whose nodes reach each other.

    Also writes the HAProxy launcher below the data directory, in a folder of this node alone: the
    directory may be one that all nodes share. HAProxy's own ports stay on loopback, and the
    frontend listens on HOST and PORT; replicas listen on every interface, as HAProxy asks those of
    other nodes too, and so does everything of Ray.

    Raises:
        ConfigurationError: settings are malformed, or lack what a cluster needs.
        DataDirectoryInUse: a node of this name is being started in the data directory.
        PortInUse: this is the head, and something listens on its PORT.
        ClusterError: Ray runs here already, there is no HAProxy, or there are no free ports.
    """
    settings = load_settings(environ)
    _check_fits_a_cluster(settings, environ)
    server = settings.server
    run = f"run-{socket.gethostname()}"
    _end_earlier_run(settings.data_dir, run)
    if is_head:
        require_free(server.host, server.port)
    folders = open_folders(settings.data_dir, run)
    run_id = os.urandom(16).hex()
    folders.begin_run(run_id)
    ports = claim_ports(avoid=(server.port,))
    options = ClusterOptions(settings.data_dir, host=server.host, port=server.port)
    variables = {
        **prepare_environment(options, folders, ports),
        # Here nodes must be told apart by their real addresses.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
        # HAProxy comes to a replica by the head's address, also on the head itself, and says whose
        # request it brings; else all clients were one to the limits by address.
        "FORWARDED_ALLOW_IPS": "*",
        process_guard.RUN_ID_VARIABLE: run_id,
        "ORCHESTRATION_DATA_DIR": str(settings.data_dir),
        "HOST": server.host,
        "PORT": str(server.port),
    }
    del variables["RAY_AUTH_TOKEN_PATH"]
    return variables


def _check_fits_a_cluster(settings: Settings, environ: Mapping[str, str]) -> None:
    if settings.server.api_key_sha256 is None:
        raise ConfigurationError(
            f"Replicas of a cluster are reachable from other machines: set {API_KEY_VARIABLE}."
        )
    if not environ.get(TOKEN_VARIABLE):
        raise ConfigurationError(
            f"Whoever reaches Ray of a cluster could run code there: set {TOKEN_VARIABLE}, the "
            "same on every node."
        )
    url = settings.database.url
    if not url:
        raise ConfigurationError(
            "A cluster needs a PostgreSQL that every node reaches: set DATABASE_URL."
        )
    host = urlsplit(url).hostname
    if host is not None and is_loopback(host):
        raise ConfigurationError(
            f"DATABASE_URL names {host}, which is another machine on each node: name the database "
            "by an address that every node reaches."
        )


def _end_earlier_run(data_dir: Path, run: str) -> None:
    """`ray stop` leaves what is not Ray's, and HAProxy would share its port with the next one."""
    earlier = last_run(data_dir, run)
    if earlier is None:
        return
    if any(_is_raylet(process_id) for process_id in process_guard.processes_of_run(earlier)):
        raise ClusterError("Ray runs on this node already: end it by `ray stop` first.")
    process_guard.end_run(earlier, grace_s=0.0)


def _is_raylet(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/comm").read_text() == "raylet\n"
    except OSError:
        return False


def main() -> int:
    """Print the variables as `export` lines for a shell. Argument: `head` on the head."""
    try:
        variables = node_environment(os.environ, is_head=HEAD in sys.argv[1:])
    except OrchestrationError as error:
        print(error.message, file=sys.stderr)
        return 1
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
