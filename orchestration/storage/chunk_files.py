"""Recordings as files: one FLAC file for each stretch of a stream.

A file appears under its name whole and durable, or not at all: it is written under another name,
flushed, renamed, and the rename flushed. The name says what is inside (stream, first and end
sample), so writing the same frames again replaces a file by itself. Paths are always made from
those numbers and the session's id, never taken from a database or a caller.

In a cluster the folder must be one that all nodes share: a session's actor may run on any of them,
and another one may be asked for the recording.
"""

import contextlib
import errno
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import RecordingFailed, Unavailable, UnknownSession
from orchestration.storage.erasure_ports import RemovedFiles
from orchestration.storage.flac import AudioRun, FlacError, FlacWriter, decode_flac, run_of
from orchestration.storage.values import JournalFrame, RecordedFile

SAFE_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
PARTIAL_SUFFIX = ".part"

REMOVAL_ROUNDS = 3
"""A session's actor that is being ended may name one last file while the others are removed."""


class ChunkFileStore:
    """The files below `root`, a folder for each session. Blocking: call it in a worker thread."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(
        self, session_id: str, pcm_format: PcmFormat, frames: Sequence[JournalFrame]
    ) -> RecordedFile:
        """Store consecutive frames of one stream, at least one, as one file.

        Raises:
            RecordingFailed: the disk is full or broken; nothing is left of the file.
        """
        first, last = frames[0], frames[-1]
        try:
            content = _encode(pcm_format, frames)
            file = RecordedFile(
                session_id=session_id,
                stream=first.stream,
                first_seq=first.seq,
                last_seq=last.seq,
                first_sample=first.first_sample,
                end_sample=last.first_sample + last.sample_count,
                sample_rate=pcm_format.sample_rate,
                channels=pcm_format.channels,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
            self._make_folder(session_id)
            _write_durably(self._path(file), content)
        except (OSError, FlacError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RecordingFailed(f"A recording's file cannot be written: {reason}.") from error
        return file

    def read(self, file: RecordedFile) -> AudioRun:
        """A file's samples, checked against what was written.

        Raises:
            Unavailable: the file is not on this node, or not as it was written.
        """
        facts = {"session_id": file.session_id, "file": file.name}
        try:
            content = self._path(file).read_bytes()
        except OSError as error:
            raise Unavailable(
                f"{file.name} of this recording cannot be read on this node "
                f"({error.strerror or error}): the nodes of a cluster must share the data "
                "directory's folder of recordings.",
                {**facts},
            ) from error
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise Unavailable(
                f"{file.name} of this recording is damaged: its checksum differs.", {**facts}
            )
        return AudioRun(file.first_sample, decode_flac(content))

    def discard_partial(self, session_id: str) -> None:
        """Remove what a process that died in `write` has left of a session."""
        for path in self._folder(session_id).glob(f".*{PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)

    def remove_streams(self, session_id: str, streams: Sequence[int]) -> RemovedFiles:
        """Remove all files of a session's streams.

        Raises:
            Unavailable: a file cannot be removed.
        """
        folder = self._folder(session_id)
        names = [f"{stream:05d}-*" for stream in streams]
        files = [path for name in names for dot in ("", ".") for path in folder.glob(dot + name)]
        try:
            return _remove(files)
        except OSError as error:
            raise _not_removed(error) from error

    def remove_session(self, session_id: str) -> RemovedFiles:
        """Remove all files of a session; does nothing when there are none.

        Raises:
            Unavailable: a file cannot be removed.
        """
        folder = self._folder(session_id)
        removed = RemovedFiles()
        try:
            for _ in range(REMOVAL_ROUNDS):
                if not folder.exists():
                    return removed
                removed += _remove(folder.iterdir())
                with contextlib.suppress(FileNotFoundError):
                    if _removed_if_empty(folder):
                        return removed
        except OSError as error:
            raise _not_removed(error) from error
        raise Unavailable("The recording's files cannot be removed: it is still written.")

    def _folder(self, session_id: str) -> Path:
        if not SAFE_SESSION_ID.fullmatch(session_id):
            raise UnknownSession("No session has this id.")
        return self._root / session_id

    def _path(self, file: RecordedFile) -> Path:
        return self._folder(file.session_id) / file.name

    def _make_folder(self, session_id: str) -> None:
        for folder in (self._root, self._folder(session_id)):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _flush_folder(folder.parent)


def _remove(paths: Iterable[Path]) -> RemovedFiles:
    """Remove files. One that gets another name meanwhile is not counted, and left under that."""
    removed = RemovedFiles()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            removed += RemovedFiles(1, size)
    return removed


def _removed_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True


def _not_removed(error: OSError) -> Unavailable:
    return Unavailable(f"The recording's files cannot be removed: {error.strerror or error}.")


def _encode(pcm_format: PcmFormat, frames: Sequence[JournalFrame]) -> bytes:
    # In memory, so that a full disk shows as the one error of one write.
    target = io.BytesIO()
    writer = FlacWriter(target, pcm_format, frames[0].first_sample)
    try:
        for frame in frames:
            writer.write(run_of(frame, pcm_format))
    finally:
        writer.close()
    return target.getvalue()


def _write_durably(path: Path, content: bytes) -> None:
    descriptor, partial = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=PARTIAL_SUFFIX, dir=path.parent
    )
    try:
        with open(descriptor, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
