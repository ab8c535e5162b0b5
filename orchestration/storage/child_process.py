"""Run a program as a child that ends with its parent, without the parent's privileges.

Executed as a script by `child_command`, never imported in the child: it drops to another user,
asks the kernel for a signal when the parent dies, and becomes the program. A script instead of
`preexec_fn`, which may deadlock in a process with threads.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def child_command(
    program: Sequence[str],
    *,
    signal_at_parent_death: signal.Signals,
    account: tuple[int, int] | None,
) -> list[str]:
    """The command that runs `program` so; `account` is the (uid, gid) to become, if any.

    The kernel sends the signal when the *thread* that spawned the child ends, so spawn it from
    one that lives as long as the child shall.
    """
    uid, gid = account if account is not None else (-1, -1)
    facts = (os.getpid(), int(signal_at_parent_death), uid, gid)
    return [sys.executable, "-I", "-S", __file__, *map(str, facts), *program]


def become(
    program: Sequence[str], parent_pid: int, parent_death_signal: int, uid: int, gid: int
) -> None:
    """Replace this process by the program; returns only if the parent is gone already."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After setuid, which clears it; before the check, or the parent could die unnoticed between.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, parent_death_signal, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() == parent_pid:
        os.execv(program[0], list(program))


if __name__ == "__main__":
    become(sys.argv[5:], *map(int, sys.argv[1:5]))
