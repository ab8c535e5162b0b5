"""Segments: consecutive words of one speaker, on the session's timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestration.transcript.words import join_words

SpeakerMethod = Literal[
    "manual", "own_stream", "google_meet_api", "temporal", "acoustic", "caption_text", "fallback"
]


CorrelationType = Literal["exact", "interpolated", "inferred"]

TYPE_OF_METHOD: Mapping[SpeakerMethod, CorrelationType] = {
    "manual": "exact",
    "own_stream": "exact",
    "google_meet_api": "interpolated",
    "caption_text": "interpolated",
    "temporal": "interpolated",
    "acoustic": "inferred",
    "fallback": "inferred",
}
"""Exact: said of these very words. Interpolated: the platform's word on a time or a text, laid over
the words. Inferred: from the voice alone."""


@dataclass(frozen=True, slots=True)
class SpeakerName:
    """Whose words these are, how sure that is (0 to 1), and by what evidence."""

    speaker_id: str
    name: str
    confidence: float
    method: SpeakerMethod


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word on the session's timeline: nanoseconds since the session's first sample."""

    text: str
    start_ns: int
    end_ns: int
    probability: float
    label: str | None = None
    """The voice, as diarization labels it; see `orchestration.speakers.labels`."""
    label_probability: float | None = None
    """How likely it is that voice; None where the diarizer says no more than the label."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive words of one speaker in one stream; word times lie inside the segment's."""

    segment_id: str
    revision: int
    stream: int
    start_ns: int
    end_ns: int
    speaker: SpeakerName | None
    language: str
    words: tuple[TimedWord, ...]

    @property
    def text(self) -> str:
        return join_words((word.text for word in self.words), self.language)
