"""What comes into a session: streams, frames, facts. Values only.

The shapes mirror docs/protocols.md. Samples are counted per channel on the stream's own clock.
"""

from dataclasses import dataclass
from typing import Literal

from orchestration.audio.pcm import PcmFormat


@dataclass(frozen=True, slots=True)
class ParticipantRef:
    """A person in the meeting, as the platform knows them."""

    participant_id: str
    name: str
    email: str | None = None
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One audio source of a session; `participant` names its only speaker, if it has one."""

    stream: int
    format: PcmFormat
    participant: ParticipantRef | None = None


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """What a bot sends at once: `payload` is PCM in the stream's format, 20 to 200 ms of it."""

    stream: int
    seq: int
    first_sample: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SampleMoment:
    """A moment named by a sample of a stream."""

    stream: int
    sample: int


@dataclass(frozen=True, slots=True)
class UnixMoment:
    """A moment on the sender's wall clock."""

    unix_ms: int


Moment = SampleMoment | UnixMoment


@dataclass(frozen=True, slots=True)
class SpeakerFact:
    """The platform says that somebody starts or stops speaking."""

    fact: int
    event: Literal["start", "stop"]
    participant_id: str
    name: str
    at: Moment


@dataclass(frozen=True, slots=True)
class ParticipantFact:
    """Somebody joined or left; `at` is absent when the platform does not say."""

    fact: int
    event: Literal["join", "leave"]
    participant: ParticipantRef
    at: Moment | None


@dataclass(frozen=True, slots=True)
class ParticipantSighting:
    """The platform's own records say when somebody came and went, Unix time in milliseconds.

    A moment that is absent is unknown, or has not come; neither takes back what is known.
    """

    participant: ParticipantRef
    joined_unix_ms: int | None
    left_unix_ms: int | None


@dataclass(frozen=True, slots=True)
class CaptionFact:
    """A caption that the platform shows, with its speaker."""

    fact: int
    participant_id: str
    name: str
    text: str
    start: Moment
    end: Moment


@dataclass(frozen=True, slots=True)
class ChatFact:
    """A chat message."""

    fact: int
    participant_id: str
    name: str
    text: str
    at: Moment | None


@dataclass(frozen=True, slots=True)
class ClockFact:
    """The sender's wall clock at a sample of a stream."""

    fact: int
    stream: int
    sample: int
    unix_ms: int


Fact = SpeakerFact | ParticipantFact | CaptionFact | ChatFact | ClockFact


@dataclass(frozen=True, slots=True)
class EndOfStreams:
    """Where the sender ends: each stream's last sequence number, the last fact; -1 for none."""

    last_seq_by_stream: tuple[tuple[int, int], ...]
    last_fact: int
