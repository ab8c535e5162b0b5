"""The ports of one service: a window of 256 that no other service on the machine takes."""

import errno
import socket
from dataclasses import dataclass
from pathlib import Path

from actors import process_guard
from actors.cluster_folders import last_run
from orchestration.errors import ClusterError, PortInUse

_FIRST_PORT = 20_000
# All below 32768, where the kernel's ephemeral ports and so Ray's workers begin.
_WINDOWS = 49
_WINDOW_SIZE = 256
_NAMED_PORTS = 16
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class PortWindow:
    """Claimed ports; the claim ends with `release` or with the process that holds it."""

    first: int
    claim: socket.socket

    @property
    def fallback_http(self) -> int:
        return self.first

    @property
    def fallback_grpc(self) -> int:
        return self.first + 1

    @property
    def haproxy_stats(self) -> int:
        return self.first + 2

    @property
    def haproxy_metrics(self) -> int:
        return self.first + 3

    @property
    def dashboard(self) -> int:
        return self.first + 4

    @property
    def dashboard_metrics(self) -> int:
        return self.first + 5

    @property
    def autoscaler_metrics(self) -> int:
        return self.first + 6

    @property
    def node_metrics(self) -> int:
        return self.first + 7

    @property
    def node_agent(self) -> int:
        return self.first + 8

    @property
    def http(self) -> int:
        """Where the service listens when the caller leaves the port to us."""
        return self.first + 9

    @property
    def first_replica(self) -> int:
        return self.first + _NAMED_PORTS

    @property
    def last_replica(self) -> int:
        return self.first + _WINDOW_SIZE - 1

    def release(self) -> None:
        """Give the window back."""
        self.claim.close()


def claim_ports(avoid: tuple[int, ...]) -> PortWindow:
    """Claim the first window that is free and holds none of the ports in `avoid`.

    Raises `ClusterError` when every window is taken.
    """
    for number in range(_WINDOWS):
        first = _FIRST_PORT + number * _WINDOW_SIZE
        if any(first <= port < first + _WINDOW_SIZE for port in avoid):
            continue
        # An abstract socket's name vanishes with its holder, even a killed one.
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0orchestration-ports-{first}")
        except OSError:
            claim.close()
            continue
        if all(is_free(LOOPBACK, port) for port in range(first, first + _NAMED_PORTS)):
            return PortWindow(first, claim)
        claim.close()
    raise ClusterError(
        f"No free ports between {_FIRST_PORT} and {_FIRST_PORT + _WINDOWS * _WINDOW_SIZE}: "
        "stop other services on this machine."
    )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on `host:port` now.

    Raises `PortInUse` when this machine has no such `host`, or may not listen on `port`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise PortInUse(
                f"Cannot listen on {host}:{port}: {error.strerror}.", {"host": host, "port": port}
            ) from error
    return True


def require_free(host: str, port: int) -> None:
    """Raise `PortInUse` unless a server could listen on `host:port` now."""
    if not is_free(host, port):
        raise PortInUse(
            f"Port {port} on {host} is taken: stop what listens there, or choose another port.",
            {"host": host, "port": port},
        )


def refuse_taken_port(host: str, port: int, data_dir: Path) -> None:
    """`require_free` before anything has started, but for what a run of `data_dir` still holds:
    the start ends one that was killed, and names one that serves."""
    run_id = last_run(data_dir)
    if not (run_id and process_guard.processes_of_run(run_id)):
        require_free(host, port)
