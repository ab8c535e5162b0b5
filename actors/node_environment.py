"""Prints what a node of a cluster must have in its environment when `ray start` starts it.

    node=$(python -m actors.node_environment) && eval "$node" && ray start ...

Settings come from the environment (ORCHESTRATION_DATA_DIR, HOST, PORT, ORCHESTRATION_API_KEY). The
cluster's token is not among what is printed: RAY_AUTH_TOKEN must be the same on all nodes.
"""

import os
import shlex
import sys
from collections.abc import Mapping

from actors.cluster_environment import ClusterOptions, prepare_environment
from actors.cluster_folders import open_folders
from actors.cluster_ports import claim_ports
from orchestration.config.loader import API_KEY_VARIABLE, load_settings
from orchestration.errors import ConfigurationError, OrchestrationError


def node_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment variables for one node of a cluster whose nodes reach each other.

    Also writes the HAProxy launcher below the data directory. HAProxy's own ports stay on
    loopback, and the frontend listens on HOST and PORT; replicas listen on every interface, as
    HAProxy asks those of other nodes too, and so does everything of Ray.

    Raises:
        ConfigurationError: settings are malformed, or there is no API key.
        DataDirectoryInUse: a service runs in the data directory.
        ClusterError: there is no HAProxy, or there are no free ports.
    """
    settings = load_settings(environ)
    if settings.server.api_key_sha256 is None:
        raise ConfigurationError(
            f"Replicas of a cluster are reachable from other machines: set {API_KEY_VARIABLE}."
        )
    server = settings.server
    folders = open_folders(settings.data_dir)
    ports = claim_ports(avoid=(server.port,))
    options = ClusterOptions(settings.data_dir, host=server.host, port=server.port)
    variables = {
        **prepare_environment(options, folders, ports),
        # Here nodes must be told apart by their real addresses.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
        "ORCHESTRATION_DATA_DIR": str(settings.data_dir),
        "HOST": server.host,
        "PORT": str(server.port),
    }
    del variables["RAY_AUTH_TOKEN_PATH"]
    return variables


def main() -> int:
    """Print the variables as `export` lines for a shell."""
    try:
        variables = node_environment(os.environ)
    except OrchestrationError as error:
        print(error.message, file=sys.stderr)
        return 1
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
