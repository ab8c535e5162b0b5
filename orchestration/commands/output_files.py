"""Files that commands write."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from orchestration.errors import UnwritableFile

PARTIAL = ".orchestration-{}.part"
"""A file's name while it is written, by the process that does; short, as its own may be as long as
names can be."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there under its name once the block has ended well, and as it was before
    otherwise: it is written beside it. Devices and pipes are written as they are, and cannot be
    read back.

    Raises:
        UnwritableFile: it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        partial = target.with_name(PARTIAL.format(os.getpid()))
        try:
            with partial.open("w+b") as file:
                if target.exists():
                    # Before anything is in it: what was private is so all the while.
                    shutil.copymode(target, partial)
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as trouble:
        raise UnwritableFile(f"Cannot write {path}: {trouble.strerror or trouble}.") from trouble
