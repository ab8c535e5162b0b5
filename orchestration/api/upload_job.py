"""An uploaded file and how it is doing."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from orchestration.audio.decoding import SourceInfo
from orchestration.errors import OrchestrationError
from orchestration.session.inputs import ParticipantRef
from orchestration.storage.upload_ports import RequestKey, UploadRow
from orchestration.storage.values import SessionSpec


@dataclass(frozen=True, slots=True)
class UploadOrder:
    """What an upload asked for. `session` is the session to create, None for `session_id`."""

    filename: str
    file_size: int
    file: BinaryIO
    session: SessionSpec | None
    session_id: str
    participant: ParticipantRef | None
    key: RequestKey | None = None
    """By which the request is known if it comes again."""


@dataclass(slots=True)
class UploadJob:
    """One file's way. Times are milliseconds of the file's audio."""

    order: UploadOrder
    stream: int = 0
    stage: str = "decoding"
    source: SourceInfo | None = None
    decoded_ms: int = 0
    heard_ms: int = 0
    damaged_packets: int = 0
    error: OrchestrationError | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the file is known to be audio and has its stream, or nothing comes of it."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def row(self) -> UploadRow:
        """What is stored of it."""
        order = self.order
        return UploadRow(order.session_id, self.stream, order.session is not None, order.key)

    @property
    def job_id(self) -> str:
        """Where its result is: any replica finds it by this."""
        return self.row.job_id

    def step(self, **values: Any) -> None:
        """Something of it changed."""
        for name, value in values.items():
            setattr(self, name, value)
        self.changed.set()
        self.changed = asyncio.Event()
