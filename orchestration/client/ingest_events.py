"""What a bot's connection tells the bot."""

from dataclasses import dataclass

from orchestration.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class Welcomed:
    """The service took the connection; `epoch` counts the session actor's incarnations."""

    epoch: int


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection is gone; another is tried at `connect_at_ns`."""

    close_code: int | None
    connect_at_ns: int


@dataclass(frozen=True, slots=True)
class AudioSkipped:
    """More was unacked than is held: these samples will be a gap in the session."""

    stream: int
    samples: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """The service disliked something, and goes on."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """All is stored; `coverage` says its fate, stream by stream."""

    coverage: JsonObject


IngestEvent = Welcomed | ConnectionLost | AudioSkipped | Complaint | Ended
