"""What is stored of uploaded files beside their audio: their streams, and their requests' keys."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An `Idempotency-Key`, and the SHA-256 of all that the request with it says."""

    key: str
    request_sha256: bytes


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An uploaded file: the stream that it is, or is about to become.

    `owns_session`: the session was made for the file, and nobody else sends to it.
    """

    session_id: str
    stream: int
    owns_session: bool
    key: RequestKey | None

    @property
    def job_id(self) -> str:
        """By which its sender asks how it is doing."""
        return f"{self.session_id}.{self.stream}"


class UploadArchive(Protocol):
    """Uploaded files, which go with their sessions."""

    async def note_upload(self, upload: UploadRow) -> None:
        """Store that a stream of a session is an uploaded file.

        Raises:
            RepeatUnderWay: its key is another file's.
            UnknownSession: there is no such session.
        """
        ...

    async def upload(self, session_id: str, stream: int) -> UploadRow | None:
        """The file that a stream is, None of any other stream."""
        ...

    async def upload_by_key(self, key: str) -> UploadRow | None:
        """The file that was sent with this key."""
        ...

    async def free_upload_key(self, upload: UploadRow) -> None:
        """The file's key may be another file's from now on."""
        ...
