"""Google Meet's conference records as values. Moments are milliseconds of Unix time.

Fields and their meaning: developers.google.com/workspace/meet/api/reference/rest/v2.
"""

from dataclasses import dataclass
from typing import Literal

MEETING_CODE_PATTERN = (
    r"^(?:(?:https?://)?meet\.google\.com/)?([a-z]{3}-[a-z]{4}-[a-z]{3})(?:[/?#].*)?$"
)
"""A meeting code, alone or in its address, in lower case: a regular expression of PostgreSQL's."""

UserKind = Literal["signed_in", "anonymous", "phone"]
TranscriptState = Literal["STARTED", "ENDED", "FILE_GENERATED"]


@dataclass(frozen=True, slots=True)
class Conference:
    """One call in a meeting space; `ended_ms` is None while it goes on."""

    name: str
    space: str | None
    started_ms: int
    ended_ms: int | None


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody who is or was in a conference: first join, and last leave once they are gone.

    `name` is the resource name, `display_name` what people see: a phone's is partly hidden.
    """

    name: str
    display_name: str
    kind: UserKind
    joined_ms: int | None
    left_ms: int | None


@dataclass(frozen=True, slots=True)
class Presence:
    """One stay of an attendee, from one device; `left_ms` is None while it lasts."""

    joined_ms: int
    left_ms: int | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """Meet's transcript of a conference; `STARTED` ones still grow."""

    name: str
    state: TranscriptState


@dataclass(frozen=True, slots=True)
class TranscriptEntry:
    """What one attendee said, as Meet heard it. `attendee` is their resource name."""

    attendee: str
    text: str
    started_ms: int
    ended_ms: int
