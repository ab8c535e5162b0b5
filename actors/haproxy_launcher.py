"""Starts HAProxy in the place that Ray Serve believes to be HAProxy's.

Serve runs what `RAY_SERVE_HAPROXY_BINARY_PATH` names, with the configuration that it has just
written. Eleven things there cannot be set from outside, and are put right here before this process
becomes HAProxy:

- Its statistics and metrics ports bind every interface.
- Replicas bind the host that the frontend binds, so that a public frontend would publish them too.
- It tells syslog of every request, with the tickets in its query.
- Clients' headers can switch off a request's timeout, and Serve reads a WebSocket ahead without
  bound unless a header says that nobody is to watch for its end.
- What is not deployed yet is answered with 404, as if it would never be there.
- Replicas would take HAProxy for the client of every connection. Who comes from the machine itself,
  as a proxy does, is believed whom it names.
- Whoever sends no whole header keeps a connection for an hour, before any key is looked at, and
  HAProxy takes no more of them than it may have open files.
- Anybody may list the application's routes.
- Browsers have their WebSockets compressed, each for itself: that is memory and CPU for each
  viewer, and a message of some kilobytes is unpacked to megabytes before its size is looked at.
- It outlives a killed manager, holding the port that its successor needs. The successor takes
  over, and no call is cut. Where none comes, as the cluster was stopped, it ends.
- When it dies itself, Serve needs 10 s to have another. A stand-in serves in the meantime, which
  does not answer on the admin socket, so that Serve goes on to notice.

Only the standard library, and always exec: Serve compares the process id with HAProxy's answer.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

BINARY_VARIABLE = "ORCHESTRATION_HAPROXY_BINARY"
"""Environment variable with the path of the real HAProxy."""
FRONTEND_VARIABLE = "ORCHESTRATION_FRONTEND"
"""Environment variable with what Serve's frontend is to bind: `host:port`."""

LOOPBACK = "127.0.0.1"

NO_ROUTE = 'http-request return status 404 content-type text/plain lf-string "Path'
"""Serve's answer where no application serves a path. Ours serves all paths once it is deployed, so
that this means "not yet", while a 404 would tell a bot that its session is gone."""

HEADER_TIMEOUT_S = 10
"""A connection whose request has not its whole header by then is closed, with 408 if it has any."""

FRONTEND_RULES = f"""\
    timeout http-request {HEADER_TIMEOUT_S}s
    option http-ignore-probes
    http-request del-header x-request-timeout-seconds
    http-request del-header x-request-disconnect-disabled
    http-request set-header x-request-disconnect-disabled ?1 if {{ path_beg /ws/ }}
    http-request set-header x-request-disconnect-disabled ?1 if {{ path_beg /socket.io/ }}
    http-request set-header x-forwarded-for %[src] unless {{ src 127.0.0.0/8 ::1 }}
    http-request return status 404 if {{ path,url_dec -i -m beg /-/routes }}
    http-request del-header sec-websocket-extensions
"""
_TAKE_OVER = "-sf"

MEANT_WITHIN_S = 2.0
"""A manager that ends this soon after its HAProxy has ended it. Serve itself ends the manager of a
dead one only after three probes, a second apart."""

TAKEN_OVER_WITHIN_S = 60.0
"""An HAProxy whose manager is gone for so long without a successor has nobody who could start one:
`ray stop` ends all of Serve and leaves HAProxy. The next one would share its port with it."""


def closed_configuration(configuration: str, frontend: str) -> str:
    """Bind all but the frontend to loopback, the frontend to `frontend`; log no requests.

    The frontend also gets `FRONTEND_RULES`, which go before Serve's own.
    """
    unlogged = re.sub(r"(?m)^\s*log \S+ local0 info\n", "", configuration)
    unlogged = unlogged.replace(NO_ROUTE, NO_ROUTE.replace("404", "503"))
    closed = re.sub(r"(?m)^(\s*bind )\*?:(\d+)", rf"\g<1>{LOOPBACK}:\2", unlogged)
    port = frontend.rpartition(":")[2]
    return re.sub(
        rf"(?m)^(\s*bind ){re.escape(LOOPBACK)}:{port}\n",
        rf"\g<1>{frontend}\n{FRONTEND_RULES}",
        closed,
    )


def orphans(configuration: Path) -> list[int]:
    """Process ids of HAProxies that run with `configuration`, or as its stand-in."""
    ours = {os.fsencode(configuration), os.fsencode(_stand_in_configuration(configuration))}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # A process may end, or belong to somebody else, between listing and reading.
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if command[0] == b"haproxy" and ours.intersection(command):
                found.append(int(entry.name))
    return found


def stand_in_for(haproxy: int, manager: int, configuration: Path) -> None:
    """Wait until `haproxy` ends; start another unless that was meant. End it when it is left alone.

    It was meant when a successor is there, or when the manager, `manager`, ends as well. Both are
    process ids.
    """
    predecessors = set(orphans(configuration))
    haproxy_ends, manager_ends = _end_of(haproxy), _end_of(manager)
    if haproxy_ends is None:
        return
    if manager_ends is not None:
        select.select([haproxy_ends, manager_ends], [], [])
    if not _is_over(haproxy_ends, TAKEN_OVER_WITHIN_S):
        if not set(orphans(configuration)) - predecessors - {haproxy}:
            signal.pidfd_send_signal(haproxy_ends, signal.SIGTERM)
        return
    if set(orphans(configuration)) - predecessors or _is_over(manager_ends, 0):
        return
    stand_in = _stand_in_configuration(configuration)
    # Without an admin socket: Serve must find its own HAProxy dead.
    stand_in.write_text(re.sub(r"(?m)^\s*stats socket .*\n", "", configuration.read_text()))
    process = subprocess.Popen(
        ["haproxy", "-db", "-f", str(stand_in)], executable=os.environ[BINARY_VARIABLE]
    )
    if _is_over(manager_ends, MEANT_WITHIN_S):
        process.kill()


def _stand_in_configuration(configuration: Path) -> Path:
    return configuration.with_suffix(".stand-in")


def _end_of(process_id: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None when it has."""
    try:
        return os.pidfd_open(process_id)
    except ProcessLookupError:
        return None


def _is_over(ends: int | None, timeout_s: float) -> bool:
    return ends is None or bool(select.select([ends], [], [], timeout_s)[0])


def _watch_over_this_process(configuration: Path) -> None:
    """Leave behind a process of its own that stands in for the HAProxy that this one becomes."""
    haproxy, manager = os.getpid(), os.getppid()
    if os.fork():
        os.wait()
        return
    # Twice, so that it is nobody's child: HAProxy does not expect any.
    if os.fork():
        os._exit(0)
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)
    try:
        stand_in_for(haproxy, manager, configuration)
    finally:
        os._exit(0)


def main() -> None:
    """Become HAProxy. Arguments are HAProxy's own."""
    arguments = sys.argv[1:]
    path = Path(arguments[arguments.index("-f") + 1])
    # A Ctrl-C in the owner's terminal would cut every call before the replicas say goodbye.
    os.setpgid(0, 0)
    rewritten = path.with_suffix(".closed")
    rewritten.write_text(closed_configuration(path.read_text(), os.environ[FRONTEND_VARIABLE]))
    # In place, as Serve finds its own HAProxy processes by this path in their arguments.
    rewritten.replace(path)
    if _TAKE_OVER not in arguments and (predecessors := orphans(path)):
        arguments += [_TAKE_OVER, *map(str, predecessors)]
    _watch_over_this_process(path)
    os.execv(os.environ[BINARY_VARIABLE], ["haproxy", *arguments])


if __name__ == "__main__":
    main()
