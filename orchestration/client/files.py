"""Files of audio as forms, read while they are sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import BinaryIO

import aiohttp

from orchestration.errors import UnreadableFile
from orchestration.json_types import JsonObject
from orchestration.session.inputs import ParticipantRef

AudioSource = Path | bytes | BinaryIO
"""A path, the file's content, or an open file; one that was opened by the caller stays his."""
UNNAMED = "audio"


class _Borrowed(RawIOBase):
    """A caller's file, which stays open when aiohttp has sent it and closes this."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()


def rewinding(source: AudioSource) -> Callable[[], object] | None:
    """What brings the audio back to where it is now; None where it can be read only once."""
    if isinstance(source, Path | bytes):
        return lambda: None
    if not source.seekable():
        return None
    start = source.tell()
    return lambda: source.seek(start)


@contextmanager
def file_form(
    source: AudioSource,
    fields: Mapping[str, str | None],
    repeated: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[aiohttp.FormData]:
    """A form of the fields that are not None, and the file last, which may be refused by them.

    Raises:
        UnreadableFile: the path cannot be opened.
    """
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        if value is not None:
            form.add_field(name, value)
    for name, values in (repeated or {}).items():
        for value in values:
            form.add_field(name, value)
    opened = None
    if isinstance(source, Path):
        try:
            opened = source.open("rb")
        except OSError as trouble:
            reason = trouble.strerror or trouble
            raise UnreadableFile(f"Cannot read {source}: {reason}.") from trouble
        form.add_field("file", opened, filename=source.name)
    else:
        file = BytesIO(source) if isinstance(source, bytes) else _Borrowed(source)
        form.add_field("file", file, filename=UNNAMED)
    try:
        yield form
    finally:
        if opened is not None:
            opened.close()


def participant_json(participant: ParticipantRef | None) -> JsonObject | None:
    """Whose voice alone is in the audio."""
    if participant is None:
        return None
    return {"id": participant.participant_id, "name": participant.name}
