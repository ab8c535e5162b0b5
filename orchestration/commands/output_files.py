"""Files that commands write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from orchestration.errors import UnreadableFile


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there under its name once the block has ended well, and as it was before
    otherwise: it is written beside it. Devices and pipes are written as they are, and cannot be
    read back.

    Raises:
        UnreadableFile: it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        partial = target.with_name(f".{target.name}.part")
        try:
            with partial.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as trouble:
        raise UnreadableFile(f"Cannot write {path}: {trouble.strerror or trouble}.") from trouble
