"""Ends every process of a run once the run's owner is gone, however it went.

Run as a script by `actors.cluster`, in a session of its own, so that a Ctrl-C in the owner's
terminal does not reach it. The owner holds the other end of standard input: it closes it to ask
for the sweep, and the kernel closes it when the owner is killed. Ray's own fate sharing misses its
node agents, which outlive a killed raylet by a minute.

Only the standard library: it starts in 20 ms and holds 11 MB for as long as the service lives.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

RUN_ID_VARIABLE = "ORCHESTRATION_RUN_ID"
"""Environment variable that marks each process of a run; children inherit it."""

_POLL_S = 0.2
_GIVE_UP_AFTER_S = 10.0
"""From the first kill on; who still lives then hangs in the kernel."""


def processes_of_run(run_id: str) -> list[int]:
    """Process ids whose environment carries `run_id`; the caller's own is never among them."""
    marker = f"{RUN_ID_VARIABLE}={run_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # A process may end, or belong to somebody else, between listing and reading.
        with contextlib.suppress(OSError):
            if marker in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def end_run(run_id: str, grace_s: float) -> list[int]:
    """Let the processes of `run_id` end by themselves for `grace_s` seconds, then kill the rest.

    Returns the process ids that still live 10 s after the first kill: none, unless one hangs
    in the kernel.
    """
    kill_from = time.monotonic() + grace_s
    give_up_at = kill_from + _GIVE_UP_AFTER_S
    while left := processes_of_run(run_id):
        now = time.monotonic()
        if now >= give_up_at:
            return left
        if now >= kill_from:
            for process_id in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process_id, signal.SIGKILL)
        time.sleep(_POLL_S)
    return []


def main() -> int:
    """Wait for the owner's end, then sweep. Arguments: run id, grace in seconds, path to unlink."""
    run_id, grace_s, link = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    left = end_run(run_id, grace_s)
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
