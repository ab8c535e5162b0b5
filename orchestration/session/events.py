"""What a session tells the world, and its JSON form.

Durable events carry a sequence number without holes and are stored before anybody sees them;
passing events have none and are never replayed. Times inside are integers; seconds exist only in
the JSON built here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.inputs import ParticipantRef
from orchestration.timing.units import NS_PER_MS, NS_PER_SECOND
from orchestration.transcript.segments import Segment, SpeakerName


def pending_key(stream: int) -> str:
    """The key of the passing event that says what of a stream is pending, or that nothing is."""
    return f"pending:{stream}"


@dataclass(frozen=True, slots=True)
class DurableEvent:
    """A numbered event: `body` is the JSON message without `type` and `seq`."""

    seq: int
    type: str
    body: JsonObject

    def message(self) -> JsonObject:
        """The event as it goes over the wire."""
        return {"type": self.type, "seq": self.seq, **self.body}

    @property
    def ends(self) -> str | None:
        """The key of the passing event that holds no more: what was pending is final."""
        segment = self.body.get("segment")
        stream = segment.get("stream") if isinstance(segment, dict) else None
        return pending_key(stream) if isinstance(stream, int) else None


@dataclass(frozen=True, slots=True)
class PassingEvent:
    """An event for whoever watches right now. `key` merges: a newer one replaces an older one."""

    key: str
    type: str
    body: JsonObject

    def message(self) -> JsonObject:
        """The event as it goes over the wire."""
        return {"type": self.type, **self.body}


@dataclass(frozen=True, slots=True)
class TranslatedText:
    """A segment's text in another language; `state` is `final`, `unavailable` or `failed`."""

    language: str
    text: str
    state: Literal["final", "unavailable", "failed"]


def seconds(duration_ns: int) -> float:
    """Nanoseconds as the wire's seconds, to the millisecond."""
    return round(duration_ns / NS_PER_SECOND, 3)


def iso_utc(unix_ms: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def speaker_json(speaker: SpeakerName) -> JsonObject:
    return {
        "id": speaker.speaker_id,
        "name": speaker.name,
        "confidence": round(speaker.confidence, 3),
        "method": speaker.method,
    }


def segment_json(
    segment: Segment,
    state: Literal["pending", "final"],
    zero_unix_ms: int,
    translations: Sequence[TranslatedText] = (),
) -> JsonObject:
    """A segment's wire form; `zero_unix_ms` is the wall clock at session time zero."""
    words: list[JsonValue] = [
        {
            "text": word.text,
            "start": seconds(word.start_ns),
            "end": seconds(word.end_ns),
            "probability": round(word.probability, 3),
        }
        for word in segment.words
    ]
    return {
        "segment_id": segment.segment_id,
        "revision": segment.revision,
        "state": state,
        "stream": segment.stream,
        "start": seconds(segment.start_ns),
        "end": seconds(segment.end_ns),
        "absolute_start": iso_utc(zero_unix_ms + segment.start_ns // NS_PER_MS),
        "absolute_end": iso_utc(zero_unix_ms + segment.end_ns // NS_PER_MS),
        "speaker": speaker_json(segment.speaker) if segment.speaker else None,
        "language": segment.language,
        "text": segment.text,
        "words": words,
        "translations": {
            one.language: {"text": one.text, "state": one.state} for one in translations
        },
    }


def stream_coverage_json(
    *,
    stream: int,
    sample_rate: int,
    duration: int,
    transcribed: int,
    silent: int,
    pending: int,
    lost_by_reason: Mapping[str, int],
) -> JsonObject:
    """Samples per channel on the stream's own clock; the four fates add up to `duration`."""
    return {
        "id": stream,
        "sample_rate": sample_rate,
        "duration": duration,
        "transcribed": transcribed,
        "silent": silent,
        "pending": pending,
        "lost": sum(lost_by_reason.values()),
        "lost_by_reason": dict(lost_by_reason),
    }


def participant_event(
    event: str, participant: ParticipantRef, at_ns: int | None
) -> tuple[str, JsonObject]:
    """The durable event of somebody who joins or leaves, at session time `at_ns`, if known."""
    body: JsonObject = {
        "event": event,
        "participant": {
            "id": participant.participant_id,
            "name": participant.name,
            "email": participant.email,
            "is_bot": participant.is_bot,
        },
    }
    if at_ns is not None:
        body["at"] = seconds(at_ns)
    return "participant", body
