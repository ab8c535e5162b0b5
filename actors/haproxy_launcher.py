"""Starts HAProxy in the place that Ray Serve believes to be HAProxy's.

Serve runs what `RAY_SERVE_HAPROXY_BINARY_PATH` names, with the configuration that it has just
written. Seven things there cannot be set from outside, and are put right here before this process
becomes HAProxy:

- Its statistics and metrics ports bind every interface.
- Replicas bind the host that the frontend binds, so that a public frontend would publish them too.
- It tells syslog of every request, with the tickets in its query.
- Clients' headers can switch off a request's timeout, and Serve reads a WebSocket ahead without
  bound unless a header says that nobody is to watch for its end.
- What is not deployed yet is answered with 404, as if it would never be there.
- Anybody may list the application's routes.
- It outlives a killed manager, holding the port that its successor needs. The successor takes
  over, and no call is cut.

Only the standard library, and always exec: Serve compares the process id with HAProxy's answer.
"""

import contextlib
import os
import re
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

FRONTEND_RULES = """\
    http-request del-header x-request-timeout-seconds
    http-request del-header x-request-disconnect-disabled
    http-request set-header x-request-disconnect-disabled ?1 if { path_beg /ws/ }
    http-request return status 404 if { path_beg /-/routes }
"""
_TAKE_OVER = "-sf"


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
    """Process ids of HAProxies that run with `configuration`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # A process may end, or belong to somebody else, between listing and reading.
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if command[0] == b"haproxy" and os.fsencode(configuration) in command:
                found.append(int(entry.name))
    return found


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
    os.execv(os.environ[BINARY_VARIABLE], ["haproxy", *arguments])


if __name__ == "__main__":
    main()
