"""A ZIP archive that is sent while it is made: nothing of it is kept.

Python's `zipfile` writes to what cannot be sought by data descriptors behind the files, which every
reader of ZIP knows (APPNOTE 4.3.9, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import IO

from orchestration.json_types import JsonObject


class _Outlet(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file that is whole in the archive; `sha256` is of its content, in hexadecimal."""

    name: str
    size: int
    sha256: str

    def to_json(self) -> JsonObject:
        return {"name": self.name, "size": self.size, "sha256": self.sha256}


class ZipStream:
    """Files one after the other; `take` what is ready after each step. Blocking where it
    compresses: call it in a worker thread with large pieces."""

    def __init__(self) -> None:
        self.files: list[ArchivedFile] = []
        self._outlet = _Outlet()
        self._zip = zipfile.ZipFile(self._outlet, "w", allowZip64=True)
        self._member: IO[bytes] | None = None
        self._name = ""
        self._size = 0
        self._hash = hashlib.sha256()

    def begin(self, name: str, *, compress: bool = True) -> None:
        """Start a file. Audio is compressed already."""
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        # Any size, for it is not known: the fields for it have room.
        self._member = self._zip.open(info, "w", force_zip64=True)
        self._name, self._size, self._hash = name, 0, hashlib.sha256()

    def write(self, piece: bytes) -> None:
        assert self._member is not None, "a file is begun first"
        self._member.write(piece)
        self._hash.update(piece)
        self._size += len(piece)

    def end(self) -> None:
        """The file is whole."""
        assert self._member is not None, "a file is begun first"
        self._member.close()
        self._member = None
        self.files.append(ArchivedFile(self._name, self._size, self._hash.hexdigest()))

    def close(self) -> None:
        """Write the directory; nothing may follow."""
        self._zip.close()

    def take(self) -> bytes:
        """What is ready to be sent."""
        return self._outlet.take()
