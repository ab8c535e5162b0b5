"""Who is in the meeting, and who the platform says is speaking when. Session time in ns."""

from bisect import bisect_right, insort
from dataclasses import dataclass

from orchestration.session.inputs import ParticipantRef
from orchestration.transcript.segments import SpeakerName

MAX_INTERVALS = 20_000
"""Speaking intervals kept; the oldest go first: by then their words are long final."""

NEAREST_NS = 500_000_000
"""A word that no interval covers is its nearest neighbour's within this: whisper's word times
and a platform's indicator both stray by some hundred milliseconds."""

LOOKBACK_INTERVALS = 64
"""Intervals before a word that are looked at; beyond it nobody has spoken without pause."""


@dataclass(frozen=True, slots=True, order=True)
class SpeakingInterval:
    """The platform's word that a participant spoke; `end_ns` is None while they still do."""

    start_ns: int
    participant_id: str
    end_ns: int | None


class Roster:
    """Participants by platform id, and the words that are theirs.

    First form: a participant's own stream names its words; in a mixed stream the speaking
    interval with the greatest overlap does (WhisperX's rule for words and diarization).
    """

    def __init__(self) -> None:
        self._participants: dict[str, ParticipantRef] = {}
        self._own_streams: dict[int, str] = {}
        self._closed: list[SpeakingInterval] = []
        self._open: dict[str, int] = {}

    @property
    def participants(self) -> dict[str, ParticipantRef]:
        """Everybody seen so far."""
        return dict(self._participants)

    def meet(self, participant: ParticipantRef) -> bool:
        """Know a participant, or their new name; True when that is news."""
        news = self._participants.get(participant.participant_id) != participant
        self._participants[participant.participant_id] = participant
        return news

    def own_stream(self, stream: int, participant: ParticipantRef) -> None:
        """A stream that only this participant speaks in."""
        self._own_streams[stream] = participant.participant_id
        self.meet(participant)

    def started(self, participant_id: str, at_ns: int) -> SpeakingInterval:
        """Somebody starts to speak; a start without a stop goes on."""
        start_ns = self._open.setdefault(participant_id, at_ns)
        return SpeakingInterval(start_ns, participant_id, None)

    def stopped(self, participant_id: str, at_ns: int) -> SpeakingInterval | None:
        """Somebody stops; None when no start was seen."""
        start_ns = self._open.pop(participant_id, None)
        if start_ns is None:
            return None
        interval = SpeakingInterval(start_ns, participant_id, max(start_ns, at_ns))
        insort(self._closed, interval)
        if len(self._closed) > MAX_INTERVALS:
            del self._closed[: MAX_INTERVALS // 10]
        return interval

    def speaker_of(self, stream: int, start_ns: int, end_ns: int) -> SpeakerName | None:
        """Whose word lies at `start_ns` to `end_ns` of this stream; None when nothing tells."""
        own = self._own_streams.get(stream)
        if own is not None:
            return SpeakerName(own, self._participants[own].name, 1.0, "own_stream")
        best = max(
            self._near(start_ns, end_ns),
            key=lambda one: (_overlap_ns(one, start_ns, end_ns), one.start_ns),
            default=None,
        )
        if best is None:
            return None
        overlap_ns = _overlap_ns(best, start_ns, end_ns)
        if overlap_ns < -NEAREST_NS:
            return None
        share = overlap_ns / max(1, end_ns - start_ns)
        confidence = max(0.5, min(1.0, share))
        name = self._participants[best.participant_id].name
        return SpeakerName(best.participant_id, name, confidence, "temporal")

    def _near(self, start_ns: int, end_ns: int) -> list[SpeakingInterval]:
        after = bisect_right(self._closed, end_ns + NEAREST_NS, key=lambda one: one.start_ns)
        near = self._closed[max(0, after - LOOKBACK_INTERVALS) : after]
        near += [SpeakingInterval(began, who, None) for who, began in self._open.items()]
        return [one for one in near if not self._participants[one.participant_id].is_bot]


def _overlap_ns(interval: SpeakingInterval, start_ns: int, end_ns: int) -> int:
    """Nanoseconds in common; negative is the distance between the two."""
    interval_end_ns = end_ns if interval.end_ns is None else interval.end_ns
    if interval.end_ns is None and interval.start_ns > end_ns:
        interval_end_ns = interval.start_ns
    return min(end_ns, interval_end_ns) - max(start_ns, interval.start_ns)
