"""The port for who spoke in a session, by what evidence, and what people said about it.

Session times are nanoseconds since the session's first sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestration.json_types import JsonObject
from orchestration.session.inputs import ParticipantRef
from orchestration.transcript.segments import CorrelationType, SpeakerMethod

MAX_SPEAKERS = 2000
"""People, and labels, that are told of one session; those who spoke longest first."""

MAX_NAMES = 20
"""Names of one person that are told; the newest ones."""

EVIDENCE_AROUND_NS = 4_000_000_000
"""Speaking events come up to 3.5 s late; captions somewhat before or after their words."""

MAX_EVIDENCE = 5
"""Speaking events, or captions, that are told with one line."""


@dataclass(frozen=True, slots=True)
class AttendedParticipant:
    """Somebody whom the platform told of; times are absent while unknown."""

    participant: ParticipantRef
    google_id: str | None
    joined_ns: int | None
    left_ns: int | None


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """What one method named; of one person, or of a session (None: what has no name)."""

    method: SpeakerMethod | None
    segments: int
    words: int
    speaking_ns: int
    confidence: float | None
    """The mean over segments."""
    sure: int
    """Segments of a confidence of `SURE_CONFIDENCE` or more."""


@dataclass(frozen=True, slots=True)
class SpokenFigures:
    """What somebody said, as final lines have it. `speaking_ns` counts words, each moment once."""

    speaker_id: str
    name: str
    segments: int
    words: int
    speaking_ns: int
    first_ns: int
    last_ns: int
    methods: tuple[MethodFigures, ...]


@dataclass(frozen=True, slots=True)
class LabelUse:
    """A lasting diarization label, and whose lines its words are in (None: nobody's)."""

    label: str
    speaker_id: str | None
    words: int


@dataclass(frozen=True, slots=True)
class PastName:
    """A name that somebody had: by the platform, or by hand (then who gave it)."""

    speaker_id: str
    name: str
    given_by: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredCorrection:
    """A correction by hand, as it was taken; `body` is that of `speakers.corrections`."""

    number: int
    body: JsonObject
    corrected_by: str
    repainted: int
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredSpeakers:
    """All that is stored of who was there and who spoke."""

    participants: Sequence[AttendedParticipant]
    spoken: Sequence[SpokenFigures]
    labels: Sequence[LabelUse]
    names: Sequence[PastName]
    """Newest last."""
    corrections: Sequence[JsonObject]


@dataclass(frozen=True, slots=True)
class StoredCorrelation:
    """Whose a line, or a voice (`segment_id` None), is: by what method and evidence.

    `source` is the line's or voice's id. `offset_ns` is how far what names it is behind it.
    """

    correlation_id: str
    source: str
    segment_id: str | None
    caption_id: str | None
    label: str | None
    speaker_id: str
    speaker_name: str
    google_id: str | None
    confidence: float
    method: SpeakerMethod
    kind: CorrelationType
    start_ns: int | None
    end_ns: int | None
    offset_ns: int
    evidence: JsonObject
    at: datetime


@dataclass(frozen=True, slots=True)
class CorrelationPage:
    """Voices, then lines in order of start, and where the next page begins, if there is one."""

    items: Sequence[StoredCorrelation]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class CorrectionPage:
    """Corrections in their order, and where the next page begins, if there is one."""

    items: Sequence[StoredCorrection]
    next_cursor: str | None


SURE_CONFIDENCE = 0.7
"""From here on, of 1, a segment counts among those that are named for sure."""


class SpeakerArchive(Protocol):
    """Reading who spoke. All raise DatabaseUnavailable when PostgreSQL is away, and
    UnknownSession."""

    async def speakers(self, session_id: str) -> StoredSpeakers: ...

    async def speaker_corrections(
        self, session_id: str, limit: int, cursor: str | None
    ) -> CorrectionPage:
        """What people said about who spoke.

        Raises:
            BadRequest: the cursor is not one that was given.
        """
        ...

    async def correlations(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> CorrelationPage:
        """Names of lines that overlap a range of session time; of voices too when it begins at 0.

        Raises:
            BadRequest: the cursor is not one that was given.
        """
        ...

    async def correlation_figures(self, session_id: str) -> Sequence[MethodFigures]:
        """How many lines each method named, and how many have no name."""
        ...
